"""Which rays meet a triangle mesh: Embree on a CPU, every ray against every triangle on a GPU."""

import numpy as np
import torch

from lca_shared.tensors import Bool, Float, Int, Tensor

_AT_ONCE = 1 << 26
"""Pairs of ray and triangle that are in memory together."""


@torch.no_grad()
def occluded(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    reach: Float[Tensor, "rays"],
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
) -> Bool[Tensor, "rays"]:
    """Whether something is met nearer than ``reach``.

    Args:
        origins: metres.
        directions: unit vectors.
        reach: metres, may be infinite.
        vertices, faces: of the mesh; both sides count.
    """
    if not len(origins) or not len(faces):
        return torch.zeros(len(origins), dtype=torch.bool, device=origins.device)
    if origins.device.type == "cpu":
        return _by_embree(origins, directions, reach, vertices, faces)
    return by_every_pair(origins, directions, reach, vertices, faces)


def _by_embree(origins: Tensor, directions: Tensor, reach: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    import open3d as o3d  # a second that those who do not relight need not wait

    threads = torch.get_num_threads()
    scene = o3d.t.geometry.RaycastingScene(nthreads=threads)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(vertices.float().contiguous().numpy()),
        o3d.core.Tensor.from_numpy(faces.numpy().astype(np.uint32)),
    )
    # Embree's test has one reach for all rays: scaled directions give each its own.
    far = reach.clamp(max=1e3)[:, None]
    rays = torch.cat([origins, directions * far], dim=1).float().contiguous().numpy()
    hit = scene.test_occlusions(o3d.core.Tensor.from_numpy(rays), tnear=0.0, tfar=1.0, nthreads=threads)
    return torch.from_numpy(hit.numpy())


def by_every_pair(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    reach: Float[Tensor, "rays"],
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
) -> Bool[Tensor, "rays"]:
    """As :func:`occluded`, by the test of Möller and Trumbore (1997) for every pair; on any device."""
    corner, second, third = (vertices[faces[:, k]] for k in range(3))
    one, two = second - corner, third - corner
    across = torch.linalg.cross(one, two)
    found = []
    step = max(1, _AT_ONCE // len(faces))
    for start in range(0, len(origins), step):
        towards, far = directions[start : start + step, None], reach[start : start + step, None]
        offset = origins[start : start + step, None] - corner
        turned = torch.linalg.cross(offset, towards.expand_as(offset))
        facing = -(towards * across).sum(-1)
        inverse = 1 / torch.where(facing.abs() < 1e-12, torch.full_like(facing, torch.inf), facing)
        u, v = (two * turned).sum(-1) * inverse, -(one * turned).sum(-1) * inverse
        distance = (offset * across).sum(-1) * inverse
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0) & (distance < far) & (inverse != 0)
        found.append(hit.any(dim=1))
    return torch.cat(found)
