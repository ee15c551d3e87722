"""What lies between LCA's encoder and its heads: a person as numbers at the template's points."""

from dataclasses import dataclass

from lca_method.networks.gaussian_heads import GaussianStart
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class TokenCode:
    """All that the heads read of a person; with the shape it decodes to an avatar (``LCA.decode``)."""

    tokens: Float[Tensor, "*b tokens width"]
    """Geometric tokens after the encoder; at the paper's sizes there is nothing else."""
    color_logits: Float[Tensor, "*b gaussians 3"] | None = None
    """Start of the Gaussians' colours, for models with ``LCAConfig.color_lookup``."""
    start: GaussianStart | None = None
    """Start of the Gaussians, for models with ``LCAConfig.projected_outline``."""
    joined: Float[Tensor, "*b gaussians"] | None = None
    """Where nodes may act, 0..1, for models with ``DeformerConfig.ask_outline`` (``joined_legs``); None = not asked."""
