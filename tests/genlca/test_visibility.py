"""Visibility of anchors against exact truth."""

import numpy as np
import pytest
import torch
from visible_truth import camera_in_front, clothed_truth, hidden_by_brute_force, random_pose

from genlca_method.visibility.anchor_views import AnchorViews, VisibilityConfig, anchor_views
from genlca_method.visibility.depth_raster import depth_picture
from genlca_method.visibility.depth_tests import hidden_by_rays
from lca_dataparsers.synthetic.person import random_appearance
from lca_method.networks.placement import PlacementConfig, place
from lca_shared.body import BodyPose, CompactBody, get_body_model
from lca_shared.body.anchors import SurfacePoints
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project
from lca_shared.errors import UserError


@pytest.fixture(scope="module")
def body() -> CompactBody:
    return get_body_model()


@pytest.fixture(scope="module")
def anchors(body: CompactBody) -> SurfacePoints:
    return place(body, PlacementConfig(tokens=1024, gaussians_per_token=1)).tokens


def posed(body: CompactBody, seed: int) -> torch.Tensor:
    shape = 0.7 * torch.randn(len(body.shape_names), generator=torch.Generator().manual_seed(seed))
    return body.skinned(body.shaped(shape), random_pose(body, seed))


def precision_recall(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    both = (found & truth).sum()
    return float(both / found.sum()), float(both / truth.sum())


@pytest.mark.parametrize("seed", range(3))
def test_rays_agree_with_every_triangle_by_brute_force(body: CompactBody, anchors: SurfacePoints, seed: int) -> None:
    vertices, camera = posed(body, seed), camera_in_front(256)
    points = anchors.read(vertices, body.faces)
    chosen = np.arange(seed, 1024, 8)
    truth = hidden_by_brute_force(
        vertices.numpy(), body.faces.numpy(), points.numpy()[chosen], camera.world_centers().numpy(), 0.01
    )
    found = hidden_by_rays(vertices, body.faces, camera, points, 0.01).numpy()[chosen]
    assert 0.3 < truth.mean() < 0.9
    assert (found == truth).mean() > 0.99


def test_a_depth_picture_sees_what_rays_see(body: CompactBody, anchors: SurfacePoints) -> None:
    vertices = torch.stack([posed(body, seed) for seed in range(2)])
    cameras = camera_in_front(256)
    cameras = Cameras(cameras.camera_from_world.repeat(2, 1, 1), cameras.intrinsics.repeat(2, 1, 1), 256, 256)
    masks = torch.ones(2, 1, 256, 256)
    rays, raster = (
        anchor_views(anchors, vertices, body.faces, cameras, masks, VisibilityConfig(depth=depth)).seen.numpy()
        for depth in ("embree", "raster")
    )
    precision, recall = precision_recall(raster, rays)
    assert precision > 0.98 and recall > 0.98


def test_depth_pictures_are_those_of_rays(body: CompactBody) -> None:
    import open3d as o3d

    vertices, camera = posed(body, 5), camera_in_front(96)
    picture = depth_picture(vertices, body.faces, camera)
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(vertices.numpy()), o3d.core.Tensor.from_numpy(body.faces.numpy().astype(np.uint32))
    )
    row, column = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    pixels = torch.stack([column + 0.5, row + 0.5, torch.ones(96, 96)], dim=-1)
    ways = (pixels @ torch.linalg.inv(camera.intrinsics).T) @ camera.camera_from_world[:3, :3]
    rays = torch.cat([camera.world_centers().expand_as(ways), ways], dim=-1).numpy()
    truth = torch.from_numpy(scene.cast_rays(o3d.core.Tensor.from_numpy(rays))["t_hit"].numpy())  # in units of depth
    met = torch.isfinite(truth)
    assert 0.05 < met.float().mean() < 0.6
    assert (torch.isfinite(picture) == met).float().mean() > 0.999
    both = met & torch.isfinite(picture)
    assert ((picture - truth)[both].abs() < 1e-3).float().mean() > 0.998


@pytest.mark.slow
def test_dressed_people(body: CompactBody, anchors: SurfacePoints) -> None:
    """Clothes and hair that the test knows nothing of: hardly anything counts as seen that rays do not hit."""
    found, truth = [], []
    for seed in (1, 3, 5):
        person, pose = random_appearance(0, seed + 20), random_pose(body, seed)
        camera, config = camera_in_front(640), VisibilityConfig()
        seen, told, mask = clothed_truth(person, pose, camera, anchors, config.angle)
        vertices = body.skinned(body.shaped(torch.from_numpy(person.shape)), pose)
        pictures = torch.from_numpy(mask)[None, None]
        views = anchor_views(anchors, vertices[None], body.faces, camera[None], pictures, config)
        found.append(views.seen[0].numpy()[told])
        truth.append(seen[told])
    precision, recall = precision_recall(np.concatenate(found), np.concatenate(truth))
    assert precision > 0.95 and recall > 0.7


def sphere() -> tuple[torch.Tensor, torch.Tensor]:
    """A ball of 1 m around the origin with outward triangles."""
    import open3d as o3d

    mesh = o3d.geometry.TriangleMesh.create_sphere(1.0, 40)
    return torch.from_numpy(np.asarray(mesh.vertices)).float(), torch.from_numpy(np.asarray(mesh.triangles)).long()


def all_triangles(faces: torch.Tensor) -> SurfacePoints:
    return SurfacePoints(torch.arange(len(faces)), torch.full((len(faces), 3), 1 / 3))


def far_camera(size: int = 200) -> Cameras:
    return Cameras(
        look_at(torch.tensor([0.0, -50.0, 0.0]), torch.zeros(3)), pinhole_intrinsics(4000.0, size, size), size, size
    )


@pytest.mark.parametrize("depth", ["embree", "raster"])
@pytest.mark.parametrize("angle", [45.0, 80.0])
def test_of_a_ball_the_cap_within_the_angle_is_seen(depth: str, angle: float) -> None:
    vertices, faces = sphere()
    anchors, camera = all_triangles(faces), far_camera()
    config = VisibilityConfig(angle=angle, depth=depth)  # type: ignore[arg-type]
    views = anchor_views(anchors, vertices[None], faces, camera[None], torch.ones(1, 1, 200, 200), config)
    steep = -anchors.read(vertices, faces)[:, 1]  # cosine to the camera, nearly
    limit = np.cos(np.radians(angle))
    seen = views.seen[0]
    assert seen[steep > limit + 0.05].all() and not seen[steep < limit - 0.05].any()
    torch.testing.assert_close(views.weights[0][seen], steep[seen], atol=0.04, rtol=0)


def test_each_part_of_the_test_counts() -> None:
    vertices, faces = sphere()
    anchors, camera = all_triangles(faces), far_camera()
    points = anchors.read(vertices, faces)
    front = points[:, 1] < -0.3
    wall = torch.tensor([[-9.0, -5.0, 0.0], [9.0, -5.0, 0.0], [0.0, -5.0, 9.0]])  # before the upper half
    walled = torch.cat([faces, torch.tensor([[0, 1, 2]]) + len(vertices)])
    mask = torch.zeros(1, 1, 200, 200)
    mask[..., :100] = 1.0
    everywhere = torch.ones(1, 1, 200, 200)

    def views(camera: Cameras = camera, masks: torch.Tensor = everywhere, faces: torch.Tensor = faces) -> AnchorViews:
        together = torch.cat([vertices, wall])[None]
        return anchor_views(anchors, together, faces, camera[None], masks, VisibilityConfig())

    assert views().seen[0][front].all()
    upper, left = points[:, 2] > 0.05, project(camera, points)[0][:, 0] < 98
    assert not views(faces=walled).uncovered[0][front & upper].any()
    assert views(faces=walled).seen[0][front & (points[:, 2] < -0.05)].all()
    assert torch.equal(
        views(masks=mask).seen[0][front & (points[:, 0].abs() > 0.05)], left[front & (points[:, 0].abs() > 0.05)]
    )
    assert not views(camera.cropped(1000.0, 0.0, 200, 200)).inside.any()
    turned = Cameras(
        look_at(torch.tensor([0.0, -50.0, 0.0]), torch.tensor([0.0, -60.0, 0.0])), camera.intrinsics, 200, 200
    )
    assert not views(turned).seen.any()


def test_one_view_is_enough_and_counts_add_up(body: CompactBody, anchors: SurfacePoints) -> None:
    vertices = body.skinned(body.shaped(torch.zeros(37)), BodyPose.rest(len(body.driven_joints)))
    front = camera_in_front(128)
    back = Cameras(look_at(torch.tensor([0.0, 3.0, 0.2]), torch.zeros(3)), front.intrinsics, 128, 128)
    cameras = Cameras(
        torch.stack([front.camera_from_world, back.camera_from_world]), front.intrinsics.repeat(2, 1, 1), 128, 128
    )
    masks = torch.ones(2, 1, 128, 128)
    views = anchor_views(anchors, vertices.repeat(2, 1, 1), body.faces, cameras, masks, VisibilityConfig())
    assert torch.equal(views.valid, views.seen[0] | views.seen[1])
    assert torch.equal(views.counts, views.seen.sum(0))
    assert ((views.soft_counts > 0) == views.valid).all() and (views.soft_counts <= views.counts).all()
    face = anchors.read(body.regions["face"][:, None].float(), body.faces)[:, 0] > 0.99
    assert views.seen[0][face].float().mean() > 0.8 and views.seen[1][face].float().mean() < 0.05
    swapped = anchor_views(anchors, vertices.repeat(2, 1, 1), body.faces, cameras[[1, 0]], masks, VisibilityConfig())
    assert torch.equal(swapped.valid, views.valid)


def test_settings_without_sense_are_refused() -> None:
    with pytest.raises(UserError, match="angle"):
        VisibilityConfig(angle=100.0)
