"""Which limbs a camera sees, from where that is plain."""

import math

import numpy as np
import pytest
import torch

from lca_dataparsers.limb_visibility import LimbVisibility
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics


def seen(angle: float, target: tuple[float, float, float] = (0.0, 0.0, 0.0), **turns: float) -> dict[str, float]:
    """What a camera sees that stands 3 m away, ``angle`` radians from the person's front towards their left."""
    body = get_body_model("anny")
    rotations = torch.zeros(len(body.driven_joints), 3)
    for name, turn in turns.items():
        rotations[body.driven_joints.index(name.replace("__", ".")), 0] = turn
    pose = BodyPose(rotations, torch.zeros(3), torch.zeros(3), torch.zeros(2, 2))
    vertices = body.skinned(body.shaped(torch.zeros(len(body.shape_names))), pose)
    eye = torch.tensor([3 * math.sin(angle), -3 * math.cos(angle), 0.1], dtype=torch.float64)
    matrix = look_at(eye, torch.tensor(target, dtype=torch.float64)).float()
    camera = Cameras(matrix, pinhole_intrinsics(400.0, 400, 480), 400, 480)
    return dict(zip(body.driven_joints, LimbVisibility(body).seen(vertices, camera, 384).tolist()))


def test_all_limbs_are_seen_from_the_front() -> None:
    found = seen(0.0)
    for name in ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot"):
        assert found[f"{name}.L"] > 0.7 and found[f"{name}.R"] > 0.7
        assert found[f"{name}.L"] == pytest.approx(found[f"{name}.R"], abs=0.12)


def test_the_far_side_is_hidden_from_the_side() -> None:
    left, right = seen(math.pi / 2), seen(-math.pi / 2)
    for name in ("upperarm01", "lowerleg01"):
        assert left[f"{name}.L"] > 0.8 > 0.5 > left[f"{name}.R"]
        assert right[f"{name}.R"] > 0.8 > 0.5 > right[f"{name}.L"]


def test_what_is_out_of_the_picture_is_not_seen() -> None:
    found = seen(0.0, target=(0.0, 0.0, 1.6))
    assert found["foot.L"] == 0.0 and found["lowerleg01.R"] == 0.0
    assert found["upperarm01.L"] > 0.5


def test_every_joint_has_a_share() -> None:
    found = seen(math.pi)
    assert len(found) == len(get_body_model("anny").driven_joints)
    assert np.isfinite(list(found.values())).all() and 0.0 <= min(found.values()) <= max(found.values()) <= 1.0
    assert found["wrist.L"] > 0.5  # the back of the hand, from behind
