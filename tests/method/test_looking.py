"""Cameras before the body and the face, and eyes that look where somebody clicked."""

import math
from dataclasses import replace

import torch

from lca_method.viewing.looking import FACE_DISTANCE, eyes_of, face_view, gaze_towards, pad_point
from lca_shared.body.compact_body import gaze_to_matrix
from lca_shared.body.model import BodyPose


def test_eyes_look_at_the_point(body, random_driving) -> None:
    pose = random_driving((1,)).pose[0]
    middle, turned = eyes_of(body, pose)
    for local in ([0.2, -1.0, 0.1], [-0.4, -0.8, -0.3], [0.0, -1.0, 0.0]):
        target = middle + 0.7 * (turned @ torch.tensor(local))
        gaze = gaze_towards(body, pose, target)
        ahead = turned @ gaze_to_matrix(gaze) @ torch.tensor([0.0, -1.0, 0.0])
        torch.testing.assert_close(ahead, torch.nn.functional.normalize(target - middle, dim=0), atol=1e-5, rtol=0)
    rest = replace(pose, gaze=torch.zeros(2, 2))
    torch.testing.assert_close(eyes_of(body, rest)[0], middle)  # where they look does not move them


def test_a_click_on_the_eyes_is_a_look_into_the_camera() -> None:
    eyes, camera = torch.tensor([0.1, 0.0, 1.6]), torch.tensor([0.5, -2.0, 1.2])
    point = pad_point(eyes, camera, eyes - camera)
    torch.testing.assert_close((point - eyes).norm(), torch.tensor(0.5))
    assert torch.linalg.cross(point - eyes, camera - eyes).norm() < 1e-6
    beside = pad_point(eyes, camera, eyes + torch.tensor([0.3, 0.0, 0.0]) - camera)
    assert beside[0] > point[0] and ((beside - point) * (camera - eyes)).sum().abs() < 1e-5


def test_the_camera_stands_before_the_face(body) -> None:
    rest = BodyPose.rest(len(body.driven_joints))
    pose = replace(rest, root_rotation=torch.tensor([0.0, 0.0, math.pi / 2]))
    place, aim = face_view(body, pose)
    torch.testing.assert_close((place - aim).norm(), torch.tensor(FACE_DISTANCE))
    assert place[0] - aim[0] > 0.69  # who faced -Y faces +X now
    assert (aim - eyes_of(body, pose)[0]).norm() < 0.05
