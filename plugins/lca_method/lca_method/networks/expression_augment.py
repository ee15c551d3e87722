"""Random changes of a laid-out face that hide who it is and how it was framed, and leave the expression.

An expression code is learned by explaining a frame that is itself unchanged; what these changes hide from the encoder
the avatar has to bring along. Nothing is mirrored: a mirrored smirk is another expression.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lca_method.step_random import normal, uniform
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class FaceAugmentConfig:
    """How far each change goes; all are drawn anew for every picture (sizes are our choice)."""

    rotation: float = 3.0
    """Degrees, either way."""
    zoom: tuple[float, float] = (0.97, 1.03)
    """Smallest and largest enlargement."""
    stretch: float = 0.03
    """Largest difference of width and height: hides the face's proportions."""
    shift: float = 0.015
    """Fraction of the picture's side, either way, in both directions."""
    brightness: float = 0.1
    """Added to all channels, either way, sRGB."""
    contrast: float = 0.2
    """Factor 1 plus or minus this, about the mean."""
    mixing: float = 0.1
    """Standard deviation of what is added to the channel mixing matrix."""
    grey: float = 0.2
    """Share of pictures made grey."""
    blur: float = 0.1
    """Share of pictures seen at half their resolution."""
    cut_boxes: float = 0.1
    """Share of pictures with a box cut out."""
    cut_outline: float = 0.0
    """Share of pictures without hair and outline: all but an ellipse is cut away."""


def augmented(
    pictures: Float[Tensor, "n 3 h w"], background: float, config: FaceAugmentConfig
) -> Float[Tensor, "n 3 h w"]:
    """Changed copies of square pictures; what is cut or lies beyond the border becomes grey of level ``background``.

    Random numbers: :mod:`lca_method.step_random`.
    """
    pictures = _moved(pictures - background, config) + background
    pictures = _recolored(pictures, config)
    half = F.interpolate(F.avg_pool2d(pictures, 2), pictures.shape[-2:], mode="bilinear", align_corners=False)
    pictures = torch.where(_chosen(pictures, config.blur), half, pictures)
    kept = _outside_a_box(pictures, config) * _inside_an_ellipse(pictures, config)
    return (pictures - background) * kept + background


def _moved(pictures: Tensor, config: FaceAugmentConfig) -> Tensor:
    count = len(pictures)
    angle = math.radians(config.rotation) * _either_way(pictures, count)
    low, high = (math.log(value) for value in config.zoom)
    zoom = (low + (high - low) * uniform(count, device=pictures.device)).exp()
    stretch = 1 + 0.5 * config.stretch * _either_way(pictures, count)
    shift = 2 * config.shift * _either_way(pictures, count, 2)
    across = torch.stack([angle.cos() / (zoom * stretch), -angle.sin() / (zoom * stretch), shift[:, 0]], dim=-1)
    down = torch.stack([angle.sin() * stretch / zoom, angle.cos() * stretch / zoom, shift[:, 1]], dim=-1)
    grid = F.affine_grid(torch.stack([across, down], dim=1), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid.to(pictures.dtype), padding_mode="zeros", align_corners=False)


def _recolored(pictures: Tensor, config: FaceAugmentConfig) -> Tensor:
    count = len(pictures)
    eye = torch.eye(3, device=pictures.device)
    mixing = eye + config.mixing * normal(count, 3, 3, device=pictures.device)
    mixing = mixing / mixing.sum(dim=-1, keepdim=True).clamp(min=0.5)  # grey stays grey, about as bright
    mixing = torch.where(_chosen(pictures, config.grey)[..., 0], torch.full_like(eye, 1 / 3), mixing)
    mixed = torch.einsum("nij,njhw->nihw", mixing.to(pictures.dtype), pictures)
    mean = mixed.mean(dim=(1, 2, 3), keepdim=True)
    contrast = 1 + config.contrast * _either_way(pictures, count)[:, None, None, None]
    brightness = config.brightness * _either_way(pictures, count)[:, None, None, None]
    return ((mixed - mean) * contrast + mean + brightness).clamp(0, 1)


def _outside_a_box(pictures: Tensor, config: FaceAugmentConfig) -> Tensor:
    x, y = _coordinates(pictures)
    count = len(pictures)
    center = _either_way(pictures, count, 2)[..., None, None]
    half = 0.1 + 0.2 * uniform(count, 2, 1, 1, device=pictures.device)
    inside = ((x - center[:, 0]).abs() < half[:, 0]) & ((y - center[:, 1]).abs() < half[:, 1])
    return (~(inside[:, None] & _chosen(pictures, config.cut_boxes))).to(pictures.dtype)


def _inside_an_ellipse(pictures: Tensor, config: FaceAugmentConfig) -> Tensor:
    x, y = _coordinates(pictures)
    count = len(pictures)
    radii = 0.6 + 0.4 * uniform(count, 2, 1, 1, device=pictures.device)
    inside = (x / radii[:, 0]).square() + (y / radii[:, 1]).square() < 1
    return (inside[:, None] | ~_chosen(pictures, config.cut_outline)).to(pictures.dtype)


def _coordinates(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of pixel centres, -1..1, that broadcast over [h, w]."""
    height, width = pictures.shape[-2:]
    columns = (torch.arange(width, device=pictures.device) + 0.5) / width * 2 - 1
    rows = (torch.arange(height, device=pictures.device) + 0.5) / height * 2 - 1
    return columns[None, :], rows[:, None]


def _chosen(pictures: Tensor, share: float) -> Tensor:
    return uniform(len(pictures), 1, 1, 1, device=pictures.device) < share


def _either_way(pictures: Tensor, *shape: int) -> Tensor:
    return uniform(*shape, device=pictures.device) * 2 - 1
