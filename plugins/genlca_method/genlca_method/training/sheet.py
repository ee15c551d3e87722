"""A sheet of generated people beside the people whose prompts they were made from."""

import math
from collections.abc import Sequence

import torch

from lca_method.avatar.avatar import Avatar
from lca_shared.tensors import Float, Tensor

_VIEWS = (0.0, 0.5 * math.pi, math.pi)
"""Radians around the person: front, their left, back."""


def sheet(
    avatars: Sequence[Avatar], pictures: Sequence[Float[Tensor, "3 h w"] | None], size: int
) -> Float[Tensor, "height width 3"]:
    """One row a person, sRGB 0..1: a real picture if there is one, then the avatar at rest from three sides, on white.

    Args: avatars; pictures of the people whose prompts were used; pixels of a picture.
    """
    from genlca_method.latents.rendering import cameras_at

    rows = []
    for avatar, picture in zip(avatars, pictures, strict=True):
        cameras = cameras_at(torch.tensor(_VIEWS), size).to(avatar.device)
        drawn = avatar.render(cameras, avatar.rest_pose, background=torch.ones(3, device=avatar.device))
        cells = [torch.ones(3, size, size)] if picture is None else [_resized(picture, size)]
        rows.append(torch.cat([*cells, *drawn.colors.clamp(0, 1).cpu()], dim=-1))
    return torch.cat(rows, dim=-2).movedim(0, -1)


def _resized(picture: Float[Tensor, "3 h w"], size: int) -> Float[Tensor, "3 size size"]:
    return torch.nn.functional.interpolate(picture[None], size=(size, size), mode="bilinear", antialias=True)[0].cpu()
