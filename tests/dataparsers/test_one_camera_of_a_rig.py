"""One camera of a rig: the body in the rig's world, and poses told from a motion."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lca_dataparsers.formats.capture import CaptureCamera
from lca_dataparsers.formats.moving import chosen_poses, in_other_world
from lca_dataparsers.formats.rig_centre import depth_of_middle, scaled_shape
from lca_dataparsers.processing.observations import empty_observations
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import look_at
from lca_shared.rotations import rotation_vector_to_matrix


def test_a_body_moves_with_its_world() -> None:
    random = torch.Generator().manual_seed(0)
    body = get_body_model("anny")
    pose = BodyPose.rest(len(body.driven_joints), (3,))
    pose = replace(
        pose,
        joint_rotations=0.2 * torch.randn(pose.joint_rotations.shape, generator=random),
        root_rotation=torch.randn(3, 3, generator=random),
        root_translation=torch.randn(3, 3, generator=random),
    )
    motion = torch.eye(4).repeat(3, 1, 1)
    motion[:, :3, :3] = rotation_vector_to_matrix(torch.randn(3, 3, generator=random))
    motion[:, :3, 3] = torch.randn(3, 3, generator=random)
    rest = body.shaped(0.5 * torch.randn(len(body.shape_names), generator=random)).joints
    before = body.posed(rest, pose).joints
    after = body.posed(rest, in_other_world(pose, rest[0], motion)).joints
    expected = before @ motion[:, :3, :3].mT + motion[:, None, :3, 3]
    torch.testing.assert_close(after, expected, atol=1e-5, rtol=1e-5)


def test_poses_that_jump_are_no_motion() -> None:
    random = np.random.default_rng(0)
    seen = empty_observations(np.arange(5) / 30.0, (400, 600))
    seen.body_points[:] = random.uniform(100, 400, (33, 2))
    seen.body_visibility[:] = 1.0
    seen.body_points[:] += np.arange(5)[:, None, None]  # a pixel a picture
    assert not chosen_poses(seen)
    seen.body_points[:] = random.uniform(100, 400, (5, 33, 2))
    assert chosen_poses(seen)
    assert not chosen_poses(seen[:1])


def rig(places: np.ndarray, targets: np.ndarray) -> dict[str, CaptureCamera]:
    poses = look_at(torch.from_numpy(places).float(), torch.from_numpy(targets).float()).numpy()
    k = np.array([[500.0, 0, 100], [0, 500, 150], [0, 0, 1]])
    return {str(i): CaptureCamera(str(i), k, pose.astype(float), 200, 300) for i, pose in enumerate(poses)}


def test_where_all_cameras_look() -> None:
    angles = np.linspace(0, 5, 6)
    places = np.stack([3 * np.cos(angles), 3 * np.sin(angles), 0.2 * angles], axis=-1)
    middle = np.array([0.1, -0.2, 0.4])
    depth = depth_of_middle(rig(places, np.tile(middle, (6, 1))), "2")
    assert depth is not None and abs(depth - np.linalg.norm(places[2] - middle)) < 1e-4
    parallel = np.stack([np.arange(6.0), np.zeros(6), np.zeros(6)], axis=-1)
    assert depth_of_middle(rig(parallel, parallel + [0.0, 2.0, 0.0]), "2") is None
    assert depth_of_middle(rig(places, 2 * places - middle), "2") is None  # they look outwards


def test_a_body_grows_as_people_do() -> None:
    body = get_body_model("anny")
    shape = torch.zeros(len(body.shape_names))
    for factor in (0.92, 1.1):
        larger, reached = scaled_shape(body, shape, factor)
        heights = [float(np.ptp(body.shaped(s).vertices[:, 2].numpy())) for s in (larger, shape)]
        assert abs(reached - factor) < 0.02 and abs(heights[0] / heights[1] - factor) < 0.03
        assert float(larger.abs().max()) < 6.0
    same, reached = scaled_shape(body, shape, 1.0)
    torch.testing.assert_close(same, shape)
    assert reached == pytest.approx(1.0)
