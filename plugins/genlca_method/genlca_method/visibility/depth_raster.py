"""Depth pictures of a triangle mesh with torch alone, on any device."""

import torch

from lca_shared.cameras import Cameras, project
from lca_shared.tensors import Float, Int, Tensor

_NEAR = 0.01
"""Metres; triangles with a corner nearer than this are left out."""
_AT_ONCE = 4_000_000
"""Pixels of triangles' boxes that are looked at together."""


def depth_picture(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"], camera: Cameras
) -> Float[Tensor, "h w"]:
    """Depth along the optical axis of the nearest triangle under each pixel's centre, metres; infinite where there is
    none. Triangles count from both sides.

    Every triangle tests the pixels of its own box; boxes of about the same size go together.

    Args: vertices in the world; triangles; one camera, no batch axes.
    """
    pixels, depth = project(camera, vertices)
    in_front = (depth > _NEAR)[faces].all(dim=1)
    corners, inverse = pixels[faces[in_front]], 1.0 / depth[faces[in_front]]
    size = pixels.new_tensor([camera.width, camera.height])
    low = (corners.amin(dim=1) - 0.5).ceil().clamp(min=0.0)
    high = torch.minimum((corners.amax(dim=1) - 0.5).floor(), size - 1)
    extent = (high - low).amax(dim=1) + 1
    used = ((high >= low).all(dim=1)).nonzero()[:, 0]
    picture = torch.full((camera.height * camera.width,), torch.inf, device=pixels.device, dtype=pixels.dtype)
    side = 1
    while len(used):
        fits = extent[used] <= side
        for chunk in used[fits].split(max(1, _AT_ONCE // side**2)):
            _draw(picture, camera.width, corners[chunk], inverse[chunk], low[chunk], high[chunk], side)
        used, side = used[~fits], side * 2
    return picture.reshape(camera.height, camera.width)


def _draw(picture: Tensor, width: int, corners: Tensor, inverse: Tensor, low: Tensor, high: Tensor, side: int) -> None:
    """Lower the depths under some triangles whose boxes are ``side`` pixels wide at most."""
    steps = torch.arange(side, device=low.device, dtype=low.dtype)
    across, down = torch.meshgrid(steps, steps, indexing="xy")
    place = low[:, None] + torch.stack([across.flatten(), down.flatten()], dim=-1)
    inside = (place <= high[:, None]).all(dim=-1)
    center = place + 0.5
    a, b, c = corners.unbind(dim=1)
    double = _cross(b - a, c - a)
    ok = double.abs() > 1e-12
    weights = (
        torch.stack(
            [
                _cross(c[:, None] - b[:, None], center - b[:, None]),
                _cross(a[:, None] - c[:, None], center - c[:, None]),
            ],
            -1,
        )
        / torch.where(ok, double, 1.0)[:, None, None]
    )
    weights = torch.cat([weights, 1 - weights.sum(dim=-1, keepdim=True)], dim=-1)
    inside &= (weights >= 0).all(dim=-1) & ok[:, None]
    depth = 1.0 / (weights * inverse[:, None]).sum(dim=-1)
    index = (place[..., 1] * width + place[..., 0]).long()
    picture.scatter_reduce_(0, index[inside], depth[inside], "amin")


def _cross(first: Tensor, second: Tensor) -> Tensor:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
