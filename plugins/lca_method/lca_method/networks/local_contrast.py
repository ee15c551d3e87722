"""Pictures without light: each pixel against its neighbourhood."""

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

    def mean(values: Tensor) -> Tensor:  # one direction after the other: the same, in a quarter of the time
        down = F.avg_pool2d(values, (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)
        return F.avg_pool2d(down, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)

    detail = pictures - mean(pictures)
    return detail / (mean(detail.square().mean(dim=1, keepdim=True)).sqrt() + _FLOOR)
