"""Pictures without light: each pixel against its neighbourhood."""

import torch
from torch.nn import functional as F

from lca_shared.tensors import Float, Tensor

_FLOOR = 0.02
"""Contrast below which a neighbourhood counts as plain, sRGB."""


def local_contrast(pictures: Float[Tensor, "n channels h w"], reach: int) -> Float[Tensor, "n channels h w"]:
    """Pictures without the mean of each pixel's neighbourhood, over its deviation there.

    Light changes from frame to frame by more than an expression does, but over larger areas.

    Args:
        pictures: sRGB minus a grey level, 0 where nothing is known.
        reach: of the neighbourhood to every side, pixels.
    """

    def mean(values: Tensor) -> Tensor:
        return _mean_along(_mean_along(values, reach).mT, reach).mT

    detail = pictures - mean(pictures)
    variance = mean(detail.square().mean(dim=1, keepdim=True)).clamp(
        min=1e-8
    )  # of running sums: rounded below 0 on plain
    return detail / (variance.sqrt() + _FLOOR)


def _mean_along(values: Float[Tensor, "n channels h w"], reach: int) -> Float[Tensor, "n channels h w"]:
    """Means of windows along the last axis, of what lies inside the picture. Of running sums: whatever the reach, the
    time is the same."""
    side, width = values.shape[-1], 2 * reach + 1
    sums = F.pad(values, (reach + 1, reach)).cumsum(dim=-1)
    at = torch.arange(side, device=values.device)
    inside = (at + reach + 1).clamp(max=side) - (at - reach).clamp(min=0)
    return (sums[..., width:] - sums[..., :-width]) / inside
