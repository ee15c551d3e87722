"""Rotary position code on a picture's patch grid (Section B.2 of the paper; the 2D form as in VGGT)."""

import torch

from lca_shared.tensors import Float, Tensor


def rotary_angles(
    positions: Float[Tensor, "*b tokens 2"], head_width: int, base: float = 100.0
) -> Float[Tensor, "*b tokens pairs"]:
    """Angles by which pairs of channels of a query or key are turned.

    The first half of the pairs turns with the row, the second half with the column, at log-spaced speeds from one
    radian a patch down to ``1 / base``.

    Args:
        positions: row and column of each token, in patches.
        head_width: channels of one attention head; ``head_width // 2`` pairs come out.
        base: ratio of the fastest to the slowest speed, up to one step (100 as in VGGT).

    Raises:
        ValueError: the head width is not a multiple of 4.
    """
    if head_width % 4:
        raise ValueError(f"the 2D rotary code needs a head width that is a multiple of 4, not {head_width}")
    count = head_width // 4
    speeds = base ** (-torch.arange(count, device=positions.device, dtype=positions.dtype) / count)
    return (positions[..., None] * speeds).flatten(-2)


def rotated(
    channels: Float[Tensor, "*b heads tokens width"], angles: Float[Tensor, "*b tokens pairs"]
) -> Float[Tensor, "*b heads tokens width"]:
    """Queries or keys turned by their position: products of two of them then depend on relative position alone."""
    cos, sin = angles.cos()[..., None, :, :], angles.sin()[..., None, :, :]
    first, second = channels.float().chunk(2, dim=-1)
    turned = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return turned.to(channels.dtype)
