"""Eyelids follow the gaze, in ARKit's sense."""

from dataclasses import replace

import pytest
import torch

from lca_shared.body import BodyPose, get_body_model
from lca_shared.body.gaze import EYELID_NAMES, GAZE_PITCH, GAZE_YAW, eyelid_coefficients, with_eyelids


def looking(yaw: float, pitch: float) -> dict[str, float]:
    values = eyelid_coefficients(torch.tensor([[yaw, pitch], [yaw, pitch]]))
    return {name: float(value) for name, value in zip(EYELID_NAMES, values, strict=True) if value}


def test_names_and_signs() -> None:
    assert looking(0.0, 0.0) == {}
    assert looking(GAZE_YAW, 0.0) == {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}  # to the person's left
    assert looking(-GAZE_YAW / 2, 0.0) == pytest.approx({"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5})
    assert looking(0.0, GAZE_PITCH * 3) == {"eyeLookUpLeft": 1.0, "eyeLookUpRight": 1.0}  # clamped
    assert looking(0.0, -GAZE_PITCH / 4) == pytest.approx({"eyeLookDownLeft": 0.25, "eyeLookDownRight": 0.25})


def test_only_the_looks_are_replaced() -> None:
    names = get_body_model().expression_names
    expression = torch.rand(3, 4, 52, generator=torch.Generator().manual_seed(0))
    gaze = 0.3 * torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    result = with_eyelids(expression, gaze, names)
    looks = torch.tensor([name.startswith("eyeLook") for name in names])
    assert int(looks.sum()) == len(EYELID_NAMES) == 8
    torch.testing.assert_close(result[..., ~looks], expression[..., ~looks])
    torch.testing.assert_close(with_eyelids(result, gaze, names), result)
    torch.testing.assert_close(result[1, 2], with_eyelids(expression[1, 2], gaze[1, 2], names))


@pytest.mark.parametrize(("pitch", "sign"), [(-0.35, -1.0), (0.3, 1.0)])
def test_upper_lids_move_with_the_eyes(pitch: float, sign: float) -> None:
    """The pupils and the lids above them go the same way."""
    body = get_body_model()
    pose = BodyPose.rest(len(body.driven_joints))
    gaze = torch.tensor([[0.0, pitch], [0.0, pitch]])
    shape, neutral = torch.zeros(len(body.shape_names)), torch.zeros(len(body.expression_names))
    rest = body.skinned(body.shaped(shape, neutral), pose)
    looks = with_eyelids(neutral, gaze, body.expression_names)
    moved = body.skinned(body.shaped(shape, looks), replace(pose, gaze=gaze))
    lids = ~body.regions["eyes"] & ((moved - rest).norm(dim=-1) > 1e-3)
    assert bool(lids.any()) and float(((moved - rest)[lids, 2] * sign).mean()) > 0
