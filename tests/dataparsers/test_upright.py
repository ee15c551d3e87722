"""Up is where people who stand have their weight over their feet."""

import math
from dataclasses import replace

import pytest
import torch
import trimesh

from lca_dataparsers.processing.fitting.quality import camera_pitch as reported_pitch
from lca_dataparsers.processing.fitting.result import body_pose, world_camera
from lca_dataparsers.processing.fitting.state import project, rest_state
from lca_dataparsers.processing.fitting.upright import camera_pitch, centre_of_volume
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras
from lca_shared.cameras import project as project_by_camera
from lca_shared.rotations import rotation_vector_to_matrix

BODY = get_body_model("anny")
FRAMES = 8
SHAPE = torch.zeros(len(BODY.shape_names))
STILL = torch.ones(FRAMES, 2)


def _standing(pitch: float, knees: float = 0.0) -> tuple[BodyPose, torch.Tensor]:
    """A person at rest before a camera that looks down by ``pitch``, and their soles (heel and toes taken as one)."""
    state = rest_state(FRAMES, len(BODY.shape_names), len(BODY.driven_joints), SHAPE)
    for side in "LR":
        for joint, turn in (("upperleg01", -knees), ("lowerleg01", knees)):
            state.rotations[:, BODY.driven_joints.index(f"{joint}.{side}"), 0] = turn
    state.root_delta[:, 0] = pitch
    pose = body_pose(state, torch.zeros(FRAMES, 2, 2))
    joints = BODY.posed(BODY.shaped(SHAPE).joints, pose).joints
    at = [[BODY.joint_names.index(f"{name}.{side}") for name in ("foot", "toe2-1")] for side in "LR"]
    return pose, joints[:, at]


def _found(pitch: float, knees: float = 0.0, still: torch.Tensor = STILL) -> float:
    pose, soles = _standing(pitch, knees)
    return math.degrees(camera_pitch(BODY, SHAPE, pose, soles, still, _standing(0.0)[1][0]))


def test_the_middle_of_a_volume_is_trimeshs() -> None:
    vertices = BODY.shaped(SHAPE).vertices
    mesh = trimesh.Trimesh(vertices.numpy(), BODY.faces.numpy(), process=False)
    assert mesh.is_watertight
    moved = torch.stack([vertices, vertices + 1.5])
    expected = torch.tensor(mesh.center_mass).float()
    torch.testing.assert_close(centre_of_volume(moved, BODY.faces), torch.stack([expected, expected + 1.5]))


@pytest.mark.parametrize("degrees", [-20.0, 0.0, 12.0, 25.0])
def test_the_camera_looks_down_as_far_as_people_seem_to_lean(degrees: float) -> None:
    assert _found(math.radians(degrees)) == pytest.approx(degrees, abs=1e-2)


def test_a_raised_foot_is_not_stood_on() -> None:
    """Both feet are still, but one is held in the air, before the body."""
    pose, soles = _standing(0.2)
    bent, raised = _standing(0.2, knees=1.2)
    one_leg = pose.joint_rotations.clone()
    left = [i for i, name in enumerate(BODY.driven_joints) if name in ("upperleg01.L", "lowerleg01.L")]
    one_leg[:, left] = bent.joint_rotations[:, left]
    soles[:, 0] = raised[:, 0]
    lean = camera_pitch(BODY, SHAPE, replace(pose, joint_rotations=one_leg), soles, STILL, _standing(0.0)[1][0])
    assert abs(math.degrees(lean) - math.degrees(0.2)) < 4.0  # the thigh before the body weighs a little


def test_nobody_stands() -> None:
    assert _found(0.2, knees=1.8) == 0.0  # sits, weight behind the feet
    assert _found(0.2, still=torch.zeros(FRAMES, 2)) == 0.0
    one = torch.zeros(FRAMES, 2)
    one[0] = 1.0
    assert _found(0.2, still=one) == 0.0
    assert _found(1.0) == 0.0  # lies rather than stands


def test_the_picture_stays_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    state = rest_state(3, len(BODY.shape_names), len(BODY.driven_joints), SHAPE)
    state.translation[:] = torch.tensor([0.2, 3.0, 0.1]) + 0.3 * torch.randn(3, 3, generator=random)
    state.root_delta[:] = 0.4 * torch.randn(3, 3, generator=random)
    rest = BODY.shaped(SHAPE).joints
    size, focal, pitch = (640, 480), 700.0, 0.3
    joints = BODY.posed(rest, body_pose(state, torch.zeros(3, 2, 2))).joints
    before = project(joints, torch.tensor(focal), torch.tensor(size).float())
    upright, camera, intrinsics = world_camera(state, rest[0], pitch, focal, size)
    turned = BODY.posed(rest, body_pose(upright, torch.zeros(3, 2, 2))).joints
    cameras = Cameras(camera.expand(3, 4, 4), intrinsics.expand(3, 3, 3), *size)
    torch.testing.assert_close(project_by_camera(cameras, turned)[0], before, atol=2e-3, rtol=1e-5)
    up = rotation_vector_to_matrix(torch.tensor([-pitch, 0.0, 0.0]))
    torch.testing.assert_close(turned - turned[:1, :1], (joints - joints[:1, :1]) @ up.mT, atol=1e-5, rtol=1e-5)
    assert reported_pitch(cameras) == pytest.approx(math.degrees(pitch), abs=1e-3)
    _, level, _ = world_camera(state, rest[0], 0.0, focal, size)
    assert math.isnan(reported_pitch(Cameras(level.expand(3, 4, 4), intrinsics.expand(3, 3, 3), *size)))  # not known
