import pytest
import torch

from lca_method.pose_sliders import POSE_SLIDERS, slider_driving, usable_sliders
from lca_shared.body import CompactBody


def posed_joints(body: CompactBody, **values: float) -> dict[str, torch.Tensor]:
    pose = slider_driving(body, values).pose
    joints = body.posed(body.template_joints[None], pose).joints[0]
    return dict(zip(body.joint_names, joints))


def test_anny_has_every_slider(body: CompactBody) -> None:
    assert usable_sliders(body) == POSE_SLIDERS


def test_all_at_zero_is_the_rest_pose(body: CompactBody) -> None:
    driving = slider_driving(body, {slider.key: 0.0 for slider in POSE_SLIDERS})
    assert not driving.pose.joint_rotations.any() and not driving.expression.any() and not driving.pose.gaze.any()


@pytest.mark.parametrize(
    ("slider", "degrees", "joint", "axis", "sign"),
    [
        ("left_arm", 60.0, "wrist.L", 2, 1),
        ("right_arm", 60.0, "wrist.R", 2, 1),
        ("left_elbow", 60.0, "wrist.L", 1, -1),
        ("right_elbow", 60.0, "wrist.R", 1, -1),
        ("left_leg", 60.0, "foot.L", 1, -1),
        ("right_knee", 60.0, "foot.R", 1, 1),
    ],
)
def test_limbs_move_the_way_their_slider_says(body, slider, degrees, joint, axis, sign) -> None:
    moved = posed_joints(body, **{slider: degrees})[joint] - posed_joints(body)[joint]
    assert sign * moved[axis] > 0.05
    other = joint.replace(".L", ".X").replace(".R", ".L").replace(".X", ".R")
    torch.testing.assert_close(posed_joints(body, **{slider: degrees})[other], posed_joints(body)[other])


def test_the_head_turns_to_its_left_and_up(body: CompactBody) -> None:
    def nose(**values: float) -> torch.Tensor:
        shaped = body.shaped(torch.zeros(1, len(body.shape_names)))
        face = body.skinned(shaped, slider_driving(body, values).pose)[0][body.regions["face"]]
        return face.mean(0)

    assert nose(head_yaw=40.0)[0] > nose()[0] + 0.03  # +x is the person's left
    assert nose(head_pitch=30.0)[2] > nose()[2] + 0.01


def test_expressions_and_gaze(body: CompactBody) -> None:
    driving = slider_driving(body, {"jaw_open": 0.7, "gaze_yaw": 10.0})
    assert driving.expression[0, body.expression_names.index("jawOpen")] == pytest.approx(0.7)
    torch.testing.assert_close(torch.rad2deg(driving.pose.gaze[0]), torch.tensor([[10.0, 0.0], [10.0, 0.0]]))


def test_an_unknown_slider_is_an_error(body: CompactBody) -> None:
    with pytest.raises(KeyError):
        slider_driving(body, {"tail": 1.0})
