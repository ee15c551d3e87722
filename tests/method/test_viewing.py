"""What the panel of ``lca view`` asks for, and what its pictures show."""

import math
from types import SimpleNamespace

import pytest
import torch

from lca_method.avatar.viewpoints import cameras_around
from lca_method.cli import main
from lca_method.pose_sliders import usable_sliders
from lca_method.viewing.modes import MODES, pictured
from lca_method.viewing.presets import FACES, GROUPS, HANDS, POSES, joint_groups
from lca_method.viewing.show import camera_of
from lca_method.viewing.signals import PanelState, finger_axes, signal_of
from lca_shared.cameras import Cameras, look_at, project
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import matrix_to_quaternion


def test_presets_name_what_the_body_has(body) -> None:
    keys = {slider.key for slider in usable_sliders(body)}
    assert all(set(values) <= keys for values in POSES.values())
    assert all(set(values) <= set(body.expression_names) for values in FACES.values())
    groups = joint_groups(body.driven_joints)
    assert list(groups) == list(GROUPS)
    assert sorted(name for names in groups.values() for name in names) == sorted(body.driven_joints)
    assert joint_groups(["tail", "head"]) == {"Head and neck": ["head"], "Other": ["tail"]}


def test_nothing_set_is_rest(body) -> None:
    signal = signal_of(PanelState(), body)
    assert signal.pose.joint_rotations.abs().max() == 0 and signal.expression.abs().max() == 0


def test_controls_add_up(body) -> None:
    state = PanelState(
        sliders={"head_yaw": 30.0},
        joints={"head": (0.0, 0.0, 10.0)},
        expression={"jawOpen": 0.5},
        gaze=(20.0, -10.0),
    )
    signal = signal_of(state, body)
    head = signal.pose.joint_rotations[0, body.driven_joints.index("head")]
    torch.testing.assert_close(head, torch.tensor([0.0, 0.0, math.radians(0.7 * 30 + 10)]))
    assert float(signal.expression[0, body.expression_names.index("jawOpen")]) == 0.5
    torch.testing.assert_close(signal.pose.gaze[0, 1], torch.tensor([math.radians(20), math.radians(-10)]))


@pytest.mark.parametrize("side", ["L", "R"])
def test_a_fist_brings_fingertips_to_the_palm(body, side) -> None:
    shaped = body.shaped(torch.zeros(len(body.shape_names)))

    def reach(degrees: float) -> tuple[float, float]:
        pose = signal_of(PanelState(curl={side: degrees}), body).pose[0]
        joints = dict(zip(body.joint_names, body.posed(shaped.joints, pose).joints))
        wrist, knuckle, tip = (joints[f"{name}.{side}"] for name in ("wrist", "finger3-1", "finger3-3"))
        other = joints[f"finger1-2.{side}"]  # the thumb stands on the palm's side
        away = torch.linalg.cross(joints[f"finger5-1.{side}"] - knuckle, knuckle - wrist)
        sign = torch.sign((other - knuckle) @ away)
        return float((tip - wrist).norm()), float(sign * ((tip - knuckle) @ away))

    assert len(finger_axes(body, side)) == 12
    (open_reach, _), (fist_reach, side_of_palm) = reach(HANDS["open"]), reach(HANDS["fist"])
    assert fist_reach < 0.8 * open_reach and side_of_palm > 0


@pytest.fixture
def ball() -> Gaussians:
    directions = torch.nn.functional.normalize(torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(directions)
    side = torch.nn.functional.normalize(torch.linalg.cross(up, directions), dim=-1)
    axes = torch.stack([side, torch.linalg.cross(directions, side), directions], dim=-1)
    scales = torch.tensor([0.05, 0.05, 0.005]).expand(4000, 3)
    return Gaussians(directions * 0.5, matrix_to_quaternion(axes), scales, torch.full((4000,), 0.9), directions * 0)


def test_modes_of_a_ball(ball) -> None:
    eye = torch.tensor([0.0, -3.0, 0.0])
    camera = Cameras(look_at(eye, torch.zeros(3)), torch.tensor([[90.0, 0, 32], [0, 90.0, 32], [0, 0, 1]]), 64, 64)
    shown = {mode: pictured(ball, camera, mode, torch.ones(3)) for mode in MODES}
    assert shown["rgb"][:, 32, 32].max() < 0.1 and shown["rgb"][:, 0, 0].min() > 0.99
    assert shown["alpha"][0, 32, 32] > 0.9 and shown["alpha"][0, 0, 0] == 0
    assert shown["depth"][0, 32, 32] > 0.9 > shown["depth"][0, 32, 20] > 0.1
    normal = 2 * shown["normals"] - 1
    assert normal[1, 32, 32] < -0.8  # towards the camera
    assert normal[2, 22, 32] > 0.25 and normal[0, 32, 42] > 0.25  # upwards above, to the right on the right
    assert shown["gaussians"][:, 26:38, 26:38].std() > 0.05


def test_the_pages_camera_is_ours(body) -> None:
    ours = cameras_around(body, torch.zeros(1, 3), (80, 60))[0]
    world_from_camera = torch.linalg.inv(ours.camera_from_world)
    page = SimpleNamespace(
        aspect=80 / 60,
        wxyz=matrix_to_quaternion(world_from_camera[:3, :3]).numpy(),
        position=world_from_camera[:3, 3].numpy(),
        fov=2 * math.atan(30 / float(ours.intrinsics[1, 1])),
    )
    again = camera_of(page, 60)
    points = body.template_vertices[::500]
    torch.testing.assert_close(project(again, points)[0], project(ours, points)[0], atol=1e-2, rtol=0)


def test_a_missing_avatar_is_one_line(tmp_path, capsys) -> None:
    assert main(["view", str(tmp_path / "x.avatar"), "--port", "0"]) == 1
    error = capsys.readouterr().err
    assert "does not exist" in error and error.count("\n") == 1
