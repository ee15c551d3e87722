"""Where the page's camera looks, and where the avatar's eyes do: at the body or the face; at what was clicked."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from lca_method.viewing.panel import GAZE_LIMIT
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    import viser

    from lca_method.viewing.show import Show

BODY_DISTANCE, FACE_DISTANCE = 1.7, 0.4
"""Metres from the camera to the middle of the body and to the eyes."""
PAD_DISTANCE = 0.5
"""Metres before the eyes at which a click is taken to lie: there the whole range of gaze is a hand's breadth or two."""


def add_looking(server: "viser.ViserServer", body: CompactBody, show: "Show") -> Any:
    """Put *Look at* and *Eyes follow clicks* at the top of a page.

    viser has no control of two dimensions, so the picture itself is the pad of the gaze.

    Args:
        server: of the page.
        body: the avatar's, at rest.
        show: who shows it.

    Returns:
        The checkbox *Eyes follow clicks*.
    """
    views = server.gui.add_button_group("Look at", ("body", "face"), order=-2)
    clicks = server.gui.add_checkbox(
        "Eyes follow clicks", False, order=-1, hint="Click into the picture: the eyes look there"
    )

    @views.on_click
    def _(event: Any) -> None:
        pose = show.signal().pose[0]
        clients = [event.client] if event.client is not None else list(server.get_clients().values())
        for client in clients:
            client.camera.up_direction = (0.0, 0.0, 1.0)
            place, aim = (face_view if views.value == "face" else body_view)(body, pose)
            client.camera.position = tuple(place.tolist())
            client.camera.look_at = tuple(aim.tolist())

    def clicked(event: Any) -> None:
        origin, direction = torch.tensor(event.ray_origin), torch.tensor(event.ray_direction)
        pose = show.signal().pose[0]
        target = pad_point(eyes_of(body, pose)[0], origin.float(), direction.float())
        yaw, pitch = (math.degrees(angle) for angle in gaze_towards(body, pose, target).tolist())
        limited = [float(round(max(-GAZE_LIMIT, min(GAZE_LIMIT, angle)))) for angle in (yaw, pitch)]
        show.panel.gaze.value = (limited[0], limited[1])

    @clicks.on_update
    def _(_: Any) -> None:
        if clicks.value:
            server.scene.on_pointer_event("click")(clicked)
        else:
            server.scene.remove_pointer_callback()

    return clicks


def eyes_of(body: CompactBody, pose: BodyPose) -> tuple[Float[Tensor, "3"], Float[Tensor, "3 3"]]:
    """The middle of the eyes, metres, and the rotation of the head from rest to the world.

    Args:
        body: the person's, at rest.
        pose: without batch axes.
    """
    rest = body.template_joints.cpu()
    still = replace(pose, gaze=torch.zeros_like(pose.gaze))
    posed = body.to("cpu").posed(rest, still)
    eyes = [body.joint_names.index(name) for name in body.eye_joints]
    return posed.joints[eyes].mean(0), posed.posed_from_rest[eyes[0], :3, :3]


def gaze_towards(body: CompactBody, pose: BodyPose, target: Float[Tensor, "3"]) -> Float[Tensor, "2"]:
    """Yaw and pitch, radians, with which the eyes look at a point of the world.

    Args:
        body, pose: as of :func:`eyes_of`.
        target: metres.
    """
    middle, turned = eyes_of(body, pose)
    x, y, z = turned.mT @ (target - middle)
    return torch.stack([torch.atan2(x, -y), torch.atan2(z, torch.hypot(x, y))])


def pad_point(
    eyes: Float[Tensor, "3"], origin: Float[Tensor, "3"], direction: Float[Tensor, "3"]
) -> Float[Tensor, "3"]:
    """Where a ray of the camera goes through the plane before the eyes that faces the camera, metres.

    Args:
        eyes: their middle.
        origin, direction: of the ray.
    """
    towards = origin - eyes
    distance = towards.norm()
    towards = towards / distance
    point = eyes + min(PAD_DISTANCE, float(distance) / 2) * towards
    along = (direction * towards).sum()  # < 0: what can be clicked is before the camera
    return origin + direction * (((point - origin) * towards).sum() / along)


def body_view(body: CompactBody, pose: BodyPose) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """A camera's place and aim, metres: before the body, wherever it went."""
    points = body.template_vertices.cpu()
    aim = (points.amin(0) + points.amax(0)) / 2 + pose.root_translation
    return aim + torch.tensor([0.0, -BODY_DISTANCE, 0.1]), aim


def face_view(body: CompactBody, pose: BodyPose) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """A camera's place and aim, metres: before the face, wherever it looks, at its height."""
    eyes, turned = eyes_of(body, pose)
    ahead = turned @ torch.tensor([0.0, -1.0, 0.0])
    ahead = torch.nn.functional.normalize(ahead * torch.tensor([1.0, 1.0, 0.0]), dim=0)
    aim = eyes - torch.tensor([0.0, 0.0, 0.03])
    return aim + FACE_DISTANCE * ahead, aim
