"""Figures of relit pictures."""

from collections import defaultdict
from typing import Any

import torch

from lca_shared.lighting.tone import to_linear, to_srgb
from lca_shared.metrics import masked_psnr
from lca_shared.tensors import Float, Tensor

_GAINS = torch.logspace(-4, 2.5, 120, base=2)


def best_constant_color(
    colors: Float[Tensor, "3 h w"],
    alpha: Float[Tensor, "1 h w"],
    image: Float[Tensor, "3 h w"],
    mask: Float[Tensor, "1 h w"],
) -> Float[Tensor, "3 h w"]:
    """A picture over black times, in linear light, the constant colour with the least squared error in sRGB.

    Args:
        colors: sRGB, multiplied by alpha.
        alpha: of the picture.
        image: the truth, sRGB.
        mask: pixels that count.
    """
    light = to_linear((colors / alpha.clamp(min=1e-3)).clamp(0, 1))
    scaled = []
    for channel in range(3):
        tried = to_srgb((light[channel] * _GAINS[:, None, None]).clamp(max=1)) * alpha
        errors = ((tried - image[channel]).square() * mask).sum(dim=(1, 2))
        scaled.append(tried[int(errors.argmin())])
    return torch.stack(scaled)


def person_score(shown: Float[Tensor, "3 h w"], image: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"]) -> float:
    """PSNR on person pixels, dB."""
    return float(masked_psnr(shown[None], image[None], mask[None])[0])


def means(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Means by kind, as text."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for name, value in row.items():
            if name != "kind":
                found[row["kind"]][name].append(value)
    return {
        kind: ", ".join(f"{name} {sum(v) / len(v):.3f}" for name, v in values.items()) + f" ({_count(values)})"
        for kind, values in found.items()
    }


def _count(values: dict[str, list[float]]) -> int:
    return len(next(iter(values.values())))
