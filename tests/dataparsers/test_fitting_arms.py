"""Arms that the body hides are not believed; arms in view are."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_observations import level_camera, made_observations

from lca_dataparsers.processing.fitting import FitConfig, fit_clip
from lca_dataparsers.processing.fitting.limits import make_limit_table
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.body import BodyPose, get_body_model

BODY = get_body_model("anny")
LIMITS = make_limit_table(BODY)
FRAMES = 8
FAR, NEAR = ("upperarm01.R", "lowerarm01.R"), ("upperarm01.L", "lowerarm01.L")


def _from_the_side(visibility: float) -> tuple[BodyPose, ClipObservations]:
    """The person's left side, seen: the right arm hangs behind the body, and the detector makes it up."""
    rotations = torch.zeros(FRAMES, len(BODY.driven_joints), 3)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        rotations[:, BODY.driven_joints.index(f"upperarm01.{side}"), 1] = 0.7 * sign  # down, along the body
        elbow = BODY.driven_joints.index(f"lowerarm01.{side}")
        rotations[:, elbow] = -0.7 * LIMITS.frames[elbow, 0]  # straight
    turned = torch.tensor([0.0, 0.0, -math.pi / 2]).expand(FRAMES, 3)
    pose = BodyPose(rotations, turned, torch.zeros(FRAMES, 3), torch.zeros(FRAMES, 2, 2))
    seen = made_observations(torch.zeros(len(BODY.shape_names)), pose, level_camera(FRAMES, 3.2, 549.0, (352, 512)))
    points, world = seen.body_points.copy(), seen.body_points_world.copy()
    sure, right_arm = seen.body_visibility.copy(), [14, 16, 18, 20, 22]
    sure[:, right_arm] = visibility
    lifted = np.array([0.3, 1.0, 1.1, 1.1, 1.1], np.float32)  # invented: bent a little, still behind the trunk
    points[:, right_arm, 1] -= 15.0 * lifted
    world[:, right_arm, 1] -= 0.09 * lifted
    scores = seen.hand_scores.copy()
    scores[:, 1] = 0.0
    return pose, replace(seen, body_points=points, body_points_world=world, body_visibility=sure, hand_scores=scores)


def test_the_camera_sees_the_left_side() -> None:
    pose, seen = _from_the_side(1.0)
    wrists = [BODY.joint_names.index(f"wrist.{side}") for side in "LR"]
    joints = BODY.posed(BODY.shaped(torch.zeros(len(BODY.shape_names))).joints, pose).joints[0, wrists]
    assert float(joints[0, 1]) < float(joints[1, 1]) - 0.2  # nearer to the camera, which stands at -Y
    assert seen.masks[0].any()


@pytest.mark.parametrize("visibility", [0.6, 0.95])
def test_a_hidden_arm_is_flagged_unless_the_detector_is_sure(visibility: float) -> None:
    fit = fit_clip(_from_the_side(visibility)[1], FitConfig(effort=0.5, shape_frames=4))

    def confidence(joint: str) -> float:
        return float(fit.joint_confidence[:, BODY.driven_joints.index(joint)].median())

    for joint in FAR:
        assert confidence(joint) < 0.35 if visibility < 0.9 else confidence(joint) > 0.9
    for joint in NEAR:
        assert confidence(joint) > 0.9
