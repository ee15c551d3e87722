"""Sizes of the transformer that ship."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TransformerSize:
    """Width and depth; the defaults are of the order of Hunyuan's two-stream part (the paper states no sizes)."""

    width: int = 1536
    layers: int = 24
    heads: int = 24
    mlp_ratio: float = 4.0
    patch: int = 1
    """Neighbouring anchors that are read as one token."""


SIZES: dict[str, TransformerSize] = {
    "tiny": TransformerSize(128, 3, 4, 2.0, patch=4),
    "small": TransformerSize(512, 8, 8, 4.0),
    "paper": TransformerSize(),
}
"""By name."""
