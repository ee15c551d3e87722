"""Cameras that look at an avatar."""

import math
from dataclasses import replace
from typing import Literal

import torch

from lca_method.avatar.motion import Motion
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

DISTANCE = 3.5
"""Metres from the camera to the middle of the body."""
_HAND = 0.2
"""Metres from the last joint of a finger to the picture's edge."""
_ROOM = 1.25
"""Height of the picture over the body's."""

View = Literal["front", "orbit", "head"]


def recorded_cameras(motion: Motion, size: tuple[int, int]) -> Cameras:
    """The cameras that recorded a motion, with what they saw as large as it goes in the middle of a picture.

    Args:
        motion: with cameras.
        size: width and height of the picture, pixels.

    Raises:
        UserError: no cameras are known.
    """
    cameras = motion.cameras
    if cameras is None:
        raise UserError(
            "No camera of one picture size was recorded with this motion: give a processed video, or another --camera."
        )
    scale = min(size[0] / cameras.width, size[1] / cameras.height)
    fitted = cameras.resized(round(cameras.width * scale), round(cameras.height * scale))
    return fitted.cropped((fitted.width - size[0]) / 2, (fitted.height - size[1]) / 2, *size)


def cameras_around(
    body: CompactBody,
    root_translation: Float[Tensor, "frames 3"],
    size: tuple[int, int],
    *,
    view: View = "front",
    turns: float = 1.0,
    follow: bool = True,
    reach: float = 0.0,
) -> Cameras:
    """A camera for each frame, at the height of the middle of the body.

    Args:
        body: at the Gaussians' points, at rest.
        root_translation: metres; for ``head`` :func:`head_path`.
        size: width and height, pixels.
        view: ``front``: in front of a body that faces -Y; ``orbit``: around it, with the head's height kept; ``head``:
            in front of the face.
        turns: of an orbit, counted over all frames.
        follow: the camera goes where the root goes (smoothly it is as the motion is); else it stays at the first
            frame's place and takes in the whole way.
        reach: metres to each side of the middle that must be in the picture too; see :func:`reach_of`.
    """
    points = body.template_vertices
    if view == "head" and "head" in body.regions and bool(body.regions["head"].any()):
        points = points[body.regions["head"]]
    low, high = points.amin(0), points.amax(0)
    places = root_translation.cpu().float()
    room = _ROOM * (high - low).cpu()
    middle = ((low + high) / 2).cpu() + places
    if not follow:
        room = room + places.amax(0) - places.amin(0)
        middle = middle.mean(0, keepdim=True).expand_as(middle)
    count = len(places)
    angle = torch.zeros(count)
    if view == "orbit":
        angle = 2 * math.pi * turns * torch.arange(count) / max(count, 1)
    distance = DISTANCE * (0.4 if view == "head" else 1.0)
    eye = middle + distance * torch.stack([angle.sin(), -angle.cos(), torch.zeros(count)], dim=-1)
    width, height = size
    extent = max(float(room[2]) / height, float(room[:2].max()) / width, 2 * reach / width)
    focal = distance / extent
    matrices = look_at(eye, middle)
    intrinsics = pinhole_intrinsics(focal, width, height).expand(count, 3, 3)
    return Cameras(matrices, intrinsics, width, height)


def head_path(body: CompactBody, pose: BodyPose) -> Float[Tensor, "frames 3"]:
    """How far the head is from where it is at rest, metres: what a camera on the face follows.

    Args:
        body: of the person.
        pose: ``[frames]``; leaning and turning move the head as the root's way does.
    """
    body = body.to("cpu")
    head = body.joint_names.index("head")
    pose = pose.to(dtype=torch.float32)
    return body.posed(body.template_joints, pose).joints[..., head, :] - body.template_joints[head]


def reach_of(body: CompactBody, pose: BodyPose) -> float:
    """How far a body stretches its limbs sideways from its root in some frames, metres.

    Args:
        body: of the person.
        pose: ``[frames]``.
    """
    still = replace(pose, root_translation=torch.zeros_like(pose.root_translation))
    sampled = still[:: max(1, len(pose.root_rotation) // 100)].to(dtype=torch.float32)
    joints = body.to("cpu").posed(body.template_joints.cpu(), sampled).joints
    return float((joints[..., :2] - joints[..., :1, :2]).norm(dim=-1).max()) + _HAND
