"""Square crops: boxes, and antialiased resampling that the camera can follow exactly."""

import math

import torch

from lca_shared.tensors import Float, Tensor


def square_box(box: Float[Tensor, "4"], margin: float = 0.1) -> Float[Tensor, "4"]:
    """The square with the centre of ``box`` and its longer side, grown by ``margin`` of that side on each side.

    Args:
        box: left, top, right, bottom in pixels.
        margin: fraction of the longer side added on the left, right, top and bottom.

    Raises:
        ValueError: the box is empty or not finite.
    """
    sides = box[2:] - box[:2]
    if not bool(torch.isfinite(box).all()) or bool((sides <= 0).any()):
        raise ValueError(f"not a box: {box.tolist()}")
    center, half = (box[:2] + box[2:]) / 2, sides.max() * (0.5 + margin)
    return torch.cat([center - half, center + half])


def boxes_in_crop(boxes: Float[Tensor, "*batch 4"], box: Float[Tensor, "4"], size: int) -> Float[Tensor, "*batch 4"]:
    """Boxes of the picture in pixels of the crop ``box`` resampled to ``size`` x ``size``."""
    factor = size / (box[2:] - box[:2])
    return (boxes - box[:2].repeat(2)) * factor.repeat(2)


def crop_and_resize(
    image: Float[Tensor, "channels h w"], box: Float[Tensor, "4"], size: int
) -> tuple[Float[Tensor, "channels size size"], Float[Tensor, "1 size size"]]:
    """Cut ``box`` out of ``image`` and resample it to ``size`` x ``size``.

    Output pixel ``i`` is centred at ``left + (i + 0.5) * (right - left) / size``: the box may have fractional corners
    and may leave the picture. The filter is a triangle as wide as an output pixel when shrinking (antialiased), and
    bilinear interpolation when enlarging.

    Returns:
        The crop, whose values are means of pixels inside the picture alone (0 where there are none); and the coverage,
        the share of each output pixel's filter that lies inside the picture.
    """
    left, top, right, bottom = (float(value) for value in box)
    columns, first_column, last_column = _weights(left, right, size, image.shape[2], image)
    rows, first_row, last_row = _weights(top, bottom, size, image.shape[1], image)
    inside = image[:, first_row:last_row, first_column:last_column]
    coverage = rows.sum(1)[:, None] * columns.sum(1)[None, :]
    weighted = rows @ inside @ columns.mT
    crop = torch.where(coverage > 1e-6, weighted / coverage.clamp_min(1e-6), torch.zeros_like(weighted))
    return crop, coverage[None].clamp(0.0, 1.0)


def _weights(start: float, end: float, size: int, length: int, like: Tensor) -> tuple[Tensor, int, int]:
    """Filter weights [size, last - first] over source pixels first..last; rows sum to 1 where all lies inside."""
    step = (end - start) / size
    if not step > 0:
        raise ValueError(f"the crop's box is empty: from {start} to {end}")
    radius = max(step, 1.0)
    lowest, highest = math.floor(start - radius), math.ceil(end + radius)
    centers = start + (torch.arange(size, dtype=torch.float64) + 0.5) * step
    pixels = torch.arange(lowest, highest, dtype=torch.float64) + 0.5
    weights = (1.0 - (pixels[None, :] - centers[:, None]).abs() / radius).clamp_min(0.0)
    weights = weights / weights.sum(1, keepdim=True)  # over the endless lattice: what lies outside counts as missing
    first, last = min(max(lowest, 0), length), max(min(highest, length), 0)
    first = min(first, last)
    return weights[:, first - lowest : last - lowest].to(like), first, last
