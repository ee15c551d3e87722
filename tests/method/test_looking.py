"""Cameras before the body and the face, and eyes that look where somebody clicked."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import torch
import viser
from browser import free_port, wait_for

from lca_method.viewing.looking import FACE_DISTANCE, add_looking, eyes_of, face_view, gaze_towards, pad_point
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


def test_the_picture_is_a_pad_while_it_is_asked_for(body) -> None:
    pose = BodyPose.rest(len(body.driven_joints))
    signal = SimpleNamespace(pose=pose[None])
    server = viser.ViserServer(host="127.0.0.1", port=free_port(), verbose=False)
    try:
        gaze = server.gui.add_vector2("Gaze", (0.0, 0.0))
        show = cast(Any, SimpleNamespace(signal=lambda: signal, panel=SimpleNamespace(gaze=gaze)))
        clicks = add_looking(server, body, show)
        eyes = eyes_of(body, pose)[0]
        camera = eyes + torch.tensor([0.0, -2.0, 0.0])
        ray = eyes + torch.tensor([0.1, 0.0, 0.2]) - camera
        click = cast(Any, SimpleNamespace(ray_origin=tuple(camera.tolist()), ray_direction=tuple(ray.tolist())))
        assert server.scene._scene_pointer_cb is None
        clicks.value = True
        assert wait_for(lambda: server.scene._scene_pointer_cb, 10, "the page does not listen to clicks")
        cast(Any, server.scene)._scene_pointer_cb(click)
        assert gaze.value == (9.0, 17.0)  # to the person's left and up
        clicks.value = False
        wait_for(lambda: server.scene._scene_pointer_cb is None, 10, "the page still listens to clicks")
    finally:
        server.stop()


def test_the_camera_stands_before_the_face(body) -> None:
    rest = BodyPose.rest(len(body.driven_joints))
    pose = replace(rest, root_rotation=torch.tensor([0.0, 0.0, math.pi / 2]))
    place, aim = face_view(body, pose)
    torch.testing.assert_close((place - aim).norm(), torch.tensor(FACE_DISTANCE))
    assert place[0] - aim[0] > 0.39  # who faced -Y faces +X now
    assert (aim - eyes_of(body, pose)[0]).norm() < 0.05
