"""Which points a triangle mesh hides from a camera: rays on a CPU, a depth picture on any device."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from genlca_method.visibility.depth_raster import depth_picture
from lca_shared.cameras import Cameras, project
from lca_shared.tensors import Bool, Float, Int, Tensor

DepthTest = Literal["auto", "embree", "raster"]
Hidden = Callable[[Tensor, Tensor, Cameras, Tensor, float], Tensor]

RASTER_SIDE = 768
"""Pixels of the depth picture's longer side, cut to the points."""


def depth_test(name: DepthTest, device: torch.device) -> Hidden:
    """The test that ``name`` stands for on a device."""
    if name == "auto":
        name = "raster" if device.type == "cuda" else "embree"
    return {"embree": hidden_by_rays, "raster": hidden_in_raster}[name]


def hidden_by_rays(
    vertices: Float[Tensor, "*b vertices 3"],
    faces: Int[Tensor, "faces 3"],
    cameras: Cameras,
    points: Float[Tensor, "*b points 3"],
    tolerance: float,
) -> Bool[Tensor, "*b points"]:
    """Cast a ray from each camera to each point with Embree: hidden is what the mesh stops more than ``tolerance``
    metres before.

    Args: posed vertices, metres, world; their triangles; one camera per batch element; points near the surface.
    """
    import open3d as o3d  # slow to import

    triangles = o3d.core.Tensor.from_numpy(faces.cpu().numpy().astype(np.uint32))
    centers = cameras.world_centers()
    flat = [value.reshape(-1, *value.shape[-axes:]).cpu().float() for value, axes in ((vertices, 2), (points, 2))]
    rows = zip(*flat, centers.reshape(-1, 3).cpu().float())
    found = []
    for mesh, targets, center in rows:
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(o3d.core.Tensor.from_numpy(np.ascontiguousarray(mesh.numpy())), triangles)
        ways = targets - center
        distance = ways.norm(dim=-1)
        directions = ways / distance[:, None].clamp(min=1e-9)
        rays = torch.cat([center.expand_as(directions), directions], dim=-1).numpy()
        reached = scene.cast_rays(o3d.core.Tensor.from_numpy(rays), nthreads=1)["t_hit"].numpy()
        found.append(torch.from_numpy(reached) < distance - tolerance)
    return torch.stack(found).reshape(points.shape[:-1]).to(points.device)


def hidden_in_raster(
    vertices: Float[Tensor, "*b vertices 3"],
    faces: Int[Tensor, "faces 3"],
    cameras: Cameras,
    points: Float[Tensor, "*b points 3"],
    tolerance: float,
) -> Bool[Tensor, "*b points"]:
    """The same against a depth picture: hidden is what lies more than ``tolerance`` metres behind the farthest of the
    four pixels around it. Small gaps between fingers come out rougher than with rays."""
    flat_vertices, flat_points = vertices.reshape(-1, *vertices.shape[-2:]), points.reshape(-1, *points.shape[-2:])
    matrices = cameras.camera_from_world.reshape(-1, 4, 4), cameras.intrinsics.reshape(-1, 3, 3)
    found = []
    for mesh, targets, camera_from_world, intrinsics in zip(flat_vertices, flat_points, *matrices):
        camera = _cut(Cameras(camera_from_world, intrinsics, cameras.width, cameras.height), targets)
        picture = depth_picture(mesh, faces, camera)
        pixels, depth = project(camera, targets)
        corner = (pixels - 0.5).floor().nan_to_num(0.0, 0.0, 0.0).long()
        nearest = []
        for down in (0, 1):
            for right in (0, 1):
                column = (corner[:, 0] + right).clamp(0, camera.width - 1)
                row = (corner[:, 1] + down).clamp(0, camera.height - 1)
                nearest.append(picture[row, column])
        found.append((depth > torch.stack(nearest).amax(dim=0) + tolerance) & (depth > 0))
    return torch.stack(found).reshape(points.shape[:-1])


def _cut(camera: Cameras, points: Tensor) -> Cameras:
    """The camera of a picture of :data:`RASTER_SIDE` pixels around what it shows of the points."""
    pixels, depth = project(camera, points)
    size = pixels.new_tensor([camera.width, camera.height])
    shown = pixels[(depth > 0) & ((pixels >= 0) & (pixels < size)).all(dim=-1)]
    if not len(shown):
        return camera
    low = shown.amin(dim=0) - 1.0
    extent = float((shown.amax(dim=0) + 1.0 - low).max())
    scale = RASTER_SIDE / extent
    cut = camera.intrinsics.clone()
    cut[:2, 2] -= low
    return Cameras(
        camera.camera_from_world, cut * cut.new_tensor([scale, scale, 1.0])[:, None], RASTER_SIDE, RASTER_SIDE
    )
