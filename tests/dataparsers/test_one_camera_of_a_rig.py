"""One camera of a rig: the body in the rig's world, and poses told from a motion."""

from dataclasses import replace

import numpy as np
import torch

from lca_dataparsers.formats.moving import chosen_poses, in_other_world
from lca_dataparsers.processing.observations import empty_observations
from lca_shared.body import BodyPose, get_body_model
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
