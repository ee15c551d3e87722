"""Pictures of all directions: rows from up to down, columns around.

The middle column looks along +Y, right of it is +X: a camera in front of a person at rest (who faces -Y) sees the
map's middle behind them. Pixel centres at +0.5.
"""

import math

import torch

from lca_shared.tensors import Float, Tensor


def directions_of(height: int, width: int, dtype: torch.dtype = torch.float32) -> Float[Tensor, "height width 3"]:
    """Unit vectors through the pixels' centres."""
    elevation = math.pi * (0.5 - (torch.arange(height, dtype=dtype) + 0.5) / height)
    azimuth = 2 * math.pi * ((torch.arange(width, dtype=dtype) + 0.5) / width - 0.5)
    elevation, azimuth = torch.meshgrid(elevation, azimuth, indexing="ij")
    flat = elevation.cos()
    return torch.stack([flat * azimuth.sin(), flat * azimuth.cos(), elevation.sin()], dim=-1)


def solid_angles(height: int, width: int, dtype: torch.dtype = torch.float32) -> Float[Tensor, "height width"]:
    """Steradians of each pixel, exactly; their sum is 4 pi."""
    edges = (math.pi * (0.5 - torch.arange(height + 1, dtype=torch.float64) / height)).sin()
    return ((edges[:-1] - edges[1:]) * 2 * math.pi / width)[:, None].expand(-1, width).to(dtype)


def looked_up(
    picture: Float[Tensor, "height width channels"], directions: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch channels"]:
    """Values at directions, between the pixels' centres bilinear, around the back without a seam.

    Args:
        picture: of all directions.
        directions: unit vectors; gradients flow to them.
    """
    height, width, channels = picture.shape
    x, y, z = directions.unbind(-1)
    column = (torch.atan2(x, y) / (2 * math.pi) + 0.5) * width - 0.5
    row = ((0.5 - torch.asin(z.clamp(-1 + 1e-6, 1 - 1e-6)) / math.pi) * height - 0.5).clamp(0, height - 1)
    left, top = column.floor(), row.floor().clamp(max=height - 2) if height > 1 else row.floor()
    right_share, low_share = (column - left)[..., None], (row - top)[..., None]
    left, top = left.long() % width, top.long()
    right, low = (left + 1) % width, (top + 1).clamp(max=height - 1)
    flat = picture.reshape(-1, channels)
    upper = torch.lerp(flat[top * width + left], flat[top * width + right], right_share)
    lower = torch.lerp(flat[low * width + left], flat[low * width + right], right_share)
    return torch.lerp(upper, lower, low_share)


def shrunk(picture: Float[Tensor, "height width channels"], height: int) -> Float[Tensor, "rows columns channels"]:
    """As high as asked and twice as wide, each pixel the mean over its solid angle; not enlarged.

    Args:
        picture: of all directions.
        height: wanted; a picture that is not higher stays as it is.
    """
    rows, columns = picture.shape[:2]
    if rows <= height:
        return picture
    weights = solid_angles(rows, columns, picture.dtype).to(picture.device)[None, None]
    values = picture.movedim(-1, 0)[None]
    size = (height, 2 * height)
    pooled = torch.nn.functional.adaptive_avg_pool2d(values * weights, size)
    return (pooled / torch.nn.functional.adaptive_avg_pool2d(weights, size))[0].movedim(0, -1)
