"""The studio fit and its parts against people whose pose is known exactly."""

import numpy as np
import pytest
import torch

from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.point_body import BODY_LANDMARKS, get_point_body
from lca_dataparsers.processing.observations import empty_observations
from lca_dataparsers.studio_fit.fit import fit_studio
from lca_dataparsers.studio_fit.observe import Place, brightened, unturned, upright_turns
from lca_dataparsers.studio_fit.targets import smoothed_times, triangulate_moments
from lca_dataparsers.studio_fit.triangulate import MIRRORED, triangulate
from lca_dataparsers.studio_fit.views import CUT_SIDE, StudioViews
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras, look_at, project
from lca_shared.errors import UserError


def ring(count: int, distance: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics and poses of cameras around the origin; the first in front of a person at rest."""
    angles = 2 * np.pi * np.arange(count) / count
    eyes = np.stack([distance * np.sin(angles), -distance * np.cos(angles), 0.3 * np.cos(3 * angles)], -1)
    poses = look_at(torch.tensor(eyes, dtype=torch.float32), torch.zeros(count, 3)).numpy()
    k = np.array([[700.0, 0, CUT_SIDE / 2], [0, 700.0, CUT_SIDE / 2], [0, 0, 1]])
    return np.repeat(k[None], count, 0), poses


def made_views(moments: int, cameras: int, pose: BodyPose, shape: torch.Tensor) -> StudioViews:
    """What perfect detectors would see; masks are the body's own silhouettes."""
    from lca_dataparsers.mesh_raster import covered_pixels
    from lca_shared.rotations import rotation_vector_to_matrix

    intrinsics, poses = ring(cameras)
    body, points = get_body_model("anny"), get_point_body("anny")
    rest, joints = points.of_shape(shape)
    root = rotation_vector_to_matrix(pose.root_rotation)
    moved = points.transforms(joints, root, pose.joint_rotations, pose.root_translation)
    landmarks = points.posed(rest, moved, torch.zeros(moments, *points.expression_points.shape[1:]))["body"]
    vertices = body.skinned(body.shaped(shape), pose)
    observations = empty_observations(np.repeat(np.arange(moments) * 1.0, cameras), (CUT_SIDE, CUT_SIDE))
    masks = observations.masks
    assert isinstance(masks, np.ndarray)
    for row in range(moments * cameras):
        moment, camera = divmod(row, cameras)
        lens = Cameras(torch.tensor(poses[camera]), torch.tensor(intrinsics[camera]).float(), CUT_SIDE, CUT_SIDE)
        observations.body_points[row] = CUT_SIDE / 2
        observations.body_points_world[row] = np.random.default_rng(0).normal(size=(33, 3))
        observations.body_points[row, list(BODY_LANDMARKS)] = project(lens, landmarks[moment])[0].numpy()
        observations.body_visibility[row, list(BODY_LANDMARKS)] = 1.0
        pixels = project(lens, vertices[moment])[0] * observations.mask_scale
        masks[row] = 255 * covered_pixels(pixels, body.faces, *masks.shape[1:]).numpy()
    return StudioViews(
        observations=observations,
        moment=np.repeat(np.arange(moments), cameras),
        camera=tuple(str(i) for i in range(cameras)) * moments,
        times=np.arange(moments) * 1.0,
        intrinsics=np.tile(intrinsics, (moments, 1, 1)),
        camera_from_world=np.tile(poses, (moments, 1, 1)),
        inside=np.ones(masks.shape, bool),
    )


@pytest.fixture(scope="module")
def person() -> tuple[BodyPose, torch.Tensor]:
    body = get_body_model("anny")
    pose = BodyPose.rest(len(body.driven_joints), (2,))
    bend = {"upperarm01.L": [0.2, 0.6, 0.0], "lowerarm01.R": [0.5, 0.0, 0.0], "lowerleg01.L": [0.6, 0.0, 0.0]}
    for name, turn in bend.items():
        pose.joint_rotations[1, body.driven_joints.index(name)] = torch.tensor(turn)
    pose.root_rotation[1] = torch.tensor([0.0, 0.0, 0.7])
    pose.root_translation[1] = torch.tensor([0.2, -0.1, 0.05])
    shape = torch.zeros(len(body.shape_names))
    shape[:3] = torch.tensor([0.8, -0.5, 0.4])
    return pose, shape


def test_triangulation_is_exact_and_bears_outliers_and_swapped_sides() -> None:
    random = np.random.default_rng(0)
    intrinsics, poses = ring(7)
    projections = intrinsics @ poses[:, :3]
    points = random.normal(size=(33, 3)) * [0.3, 0.3, 0.5]
    homogeneous = np.einsum("vij,lj->vli", projections, np.concatenate([points, np.ones((33, 1))], 1))
    pixels = homogeneous[..., :2] / homogeneous[..., 2:]
    weights, sizes = np.ones((7, 33)), np.full(7, 400.0)
    exact = triangulate(projections, pixels, weights, sizes)
    np.testing.assert_allclose(exact.points, points, atol=1e-6)
    assert exact.inlier.all() and not exact.swapped.any()
    bad = pixels.copy()
    bad[2, :5] += 90.0
    bad[4] = bad[4, MIRRORED]
    bad[5] = np.nan
    found = triangulate(projections, bad, weights, sizes)
    assert np.abs(found.points - points).max() < 0.02
    assert found.swapped.tolist() == [False] * 4 + [True] + [False] * 2
    assert not found.inlier[2, :5].any() and not found.inlier[5].any()


def test_points_that_one_camera_sees_are_unknown() -> None:
    intrinsics, poses = ring(4)
    pixels, weights = np.full((4, 33, 2), 200.0), np.zeros((4, 33))
    weights[1] = 1.0
    found = triangulate(intrinsics @ poses[:, :3], pixels, weights, np.full(4, 400.0))
    assert np.isnan(found.points).all() and (found.agreeing == 0).all()


def test_a_made_person_is_found(person: tuple[BodyPose, torch.Tensor]) -> None:
    pose, shape = person
    body = get_body_model("anny")
    fit = fit_studio(made_views(2, 4, pose, shape), FitConfig(effort=0.4))
    ours = body.posed(body.shaped(fit.shape).joints, fit.pose).joints
    true = body.posed(body.shaped(shape).joints, pose).joints
    names = ("root", "head", "wrist.L", "wrist.R", "lowerarm01.R", "lowerleg01.L", "foot.L", "foot.R", "upperarm01.L")
    chosen = [body.joint_names.index(name) for name in names]
    off = (ours - true)[:, chosen].norm(dim=-1)
    assert float(off.median()) < 0.012 and float(off.max()) < 0.04
    arms = [body.driven_joints.index(name) for name in ("upperarm01.L", "lowerleg01.R")]
    assert float(fit.joint_confidence[:, arms].min()) == 1.0


def test_limbs_that_nobody_saw_are_flagged(person: tuple[BodyPose, torch.Tensor]) -> None:
    views = made_views(2, 4, *person)
    views.observations.body_visibility[:, [13, 15, 17, 19, 21]] = 0.1  # the left arm
    fit = fit_studio(views, FitConfig(effort=0.1))
    names = get_body_model("anny").driven_joints
    left, right = names.index("lowerarm01.L"), names.index("lowerarm01.R")
    assert float(fit.joint_confidence[:, left].max()) == 0.0 and float(fit.joint_confidence[:, right].min()) == 1.0


def test_nobody_to_fit(person: tuple[BodyPose, torch.Tensor]) -> None:
    views = made_views(2, 3, *person)
    views.observations.body_visibility[:] = 0.0
    with pytest.raises(UserError, match="No two cameras"):
        fit_studio(views)


def test_jumps_are_no_motion(person: tuple[BodyPose, torch.Tensor]) -> None:
    found, _ = triangulate_moments(made_views(2, 4, *person))
    assert smoothed_times(np.array([0.0, 1 / 30]), found)[1] == 10.0
    assert smoothed_times(np.array([0.0, 1 / 30]), [found[0], found[0]])[1] == pytest.approx(1 / 30)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_turned_cameras_see_upright_people(turns: int) -> None:
    upright = look_at(torch.tensor([0.0, -3, 0]), torch.zeros(3)).numpy()
    angle = np.pi / 2 * turns
    roll = np.eye(4)
    roll[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    camera = roll @ upright
    image = np.zeros((20, 30), np.uint8)
    top = camera[:3, :3] @ [0, 0, 1.0]  # where the world's up points in the picture
    quarter = upright_turns(camera)
    place = Place((3, 2), (24, 16), quarter, 2.0)
    direction = np.array([15, 10]) + 4 * top[:2]
    image[int(direction[1]), int(direction[0])] = 255
    seen = place.taken(image, 0)
    y, x = (float(v.mean()) + 0.5 for v in np.nonzero(seen))
    assert y < seen.shape[0] / 2 and abs(x - seen.shape[1] / 2) <= 2.5
    np.testing.assert_allclose(place.own(np.array([x, y])), np.floor(direction) + 0.5, atol=0.6)
    size = (24, 16) if quarter % 2 == 0 else (16, 24)
    corner = unturned(np.array([0.0, 0.0]), size, quarter)
    assert set(corner.tolist()) <= {0.0, 24.0, 16.0}


def test_dark_pictures_are_brightened() -> None:
    image = np.random.default_rng(0).integers(0, 30, (40, 40, 3)).astype(np.uint8)
    assert brightened(image).mean() > 3 * image.mean()
    assert brightened(np.full((4, 4, 3), 200, np.uint8)).mean() == 200
