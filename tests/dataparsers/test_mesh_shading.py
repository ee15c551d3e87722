"""The drawn mesh against a ray caster that others wrote."""

import numpy as np
import open3d as o3d
import torch

from lca_dataparsers.mesh_shading import shaded_mesh
from lca_dataparsers.overlay import draw_mesh_overlay
from lca_shared.body import get_body_model
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics

BODY = get_body_model("anny")


def test_shading_agrees_with_a_ray_caster() -> None:
    width, height = 160, 240
    place = look_at(torch.tensor([1.2, -2.4, 0.5]), torch.tensor([0.0, 0.0, 0.1]))
    camera = Cameras(place, pinhole_intrinsics(300.0, width, height), width, height)
    shading, covered = shaded_mesh(BODY.template_vertices, BODY.faces, camera)
    scene = o3d.t.geometry.RaycastingScene()
    faces = np.ascontiguousarray(BODY.faces.numpy(), np.uint32)
    scene.add_triangles(o3d.core.Tensor.from_numpy(BODY.template_vertices.numpy()), o3d.core.Tensor.from_numpy(faces))
    rays = o3d.t.geometry.RaycastingScene.create_rays_pinhole(
        o3d.core.Tensor.from_numpy(camera.intrinsics.double().numpy()),
        o3d.core.Tensor.from_numpy(camera.camera_from_world.double().numpy()),
        width,
        height,
    )
    hits = scene.cast_rays(rays)
    theirs = np.isfinite(hits["t_hit"].numpy())
    assert (covered & theirs).sum() / (covered | theirs).sum() > 0.999
    directions = rays.numpy()[..., 3:]
    directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    facing = 0.35 + 0.65 * np.abs((hits["primitive_normals"].numpy() * directions).sum(axis=-1))
    off = np.abs(shading - facing)[covered & theirs]
    assert np.median(off) < 0.01 and (off > 0.05).mean() < 0.01


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    camera = Cameras(torch.eye(4), pinhole_intrinsics(50.0, 32, 32), 32, 32)
    corners = torch.tensor([[-1.0, -1, 2], [1, -1, 2], [0, 1, 2], [-1, -1, -2], [1, -1, -2], [0, 1, -2]])
    behind = torch.tensor([[3, 4, 5], [0, 1, 5]])
    assert not shaded_mesh(corners, behind, camera)[1].any()
    image = np.full((32, 32, 3), 200, np.uint8)
    assert (draw_mesh_overlay(image, corners, behind, camera) == image).all()
    drawn = draw_mesh_overlay(image, corners, torch.tensor([[0, 1, 2]]), camera, opacity=1.0)
    assert (drawn[16, 16] != 200).all() and (drawn[31, 0] == 200).all()
