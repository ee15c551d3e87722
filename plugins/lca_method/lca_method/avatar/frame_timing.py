"""Times of the parts of a frame: what runs between a driving signal and a picture."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.viewpoints import cameras_around
from lca_method.batch import DrivingSignal
from lca_method.networks.deformer import frame_of_body
from lca_shared.body.model import BodyPose
from lca_shared.rendering import rasterize

PARTS = ("driving vector", "pose head", "body", "skinning", "rasterizer")
"""driving vector: numbers from pose, expression, gaze; pose head: the network and adding its deltas; body: forward
kinematics and expressions; skinning: Gaussians carried into the world."""
_WARM_UP = 5


@dataclass(frozen=True)
class FrameTiming:
    """Medians over frames."""

    parts: Mapping[str, float]
    """Milliseconds of each of :data:`PARTS`, timed one by one."""
    whole: float
    """Milliseconds of a frame through ``Avatar.render``."""


def timed_frames(avatar: Avatar, size: int, frames: int) -> FrameTiming:
    """Time an avatar that waves its arms.

    Args:
        avatar: on the device to be timed.
        size: side of the picture, pixels.
        frames: timed, each in another pose.
    """
    device = avatar.device
    camera = cameras_around(avatar.body, torch.zeros(1, 3), (size, size))[0].to(device)
    white = torch.ones(3, device=device)
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    whole = []
    with torch.inference_mode():
        for frame in range(-_WARM_UP, frames):
            signal = _waving(avatar, frame)
            own, _ = _timed(device, partial(avatar.render, camera, signal.pose, signal.expression, background=white))
            split = _parts(avatar, signal, camera, white)
            if frame >= 0:
                whole.append(own)
                for name, value in split.items():
                    parts[name].append(value)
    return FrameTiming({name: median(values) for name, values in parts.items()}, median(whole))


def _parts(avatar: Avatar, signal: DrivingSignal, camera: Any, background: torch.Tensor) -> dict[str, float]:
    device, network = avatar.device, avatar.driving_vector
    found = {}
    found["driving vector"], vector = _timed(device, lambda: network(signal))
    found["pose head"], moved = _timed(
        device, lambda: avatar.pose_head(avatar.token_half, vector).in_full().applied_to(avatar.canonical)
    )

    def set_up():
        expressive = avatar.networks.template_expression
        expression = network.expression.template_coefficients(signal) if expressive else None
        return frame_of_body(avatar.body, signal.expression.new_zeros(1, 0), signal.pose, expression)

    found["body"], frame = _timed(device, set_up)
    found["skinning"], gaussians = _timed(device, lambda: frame.carried(moved))
    found["rasterizer"], _ = _timed(device, lambda: rasterize(gaussians, camera, background=background))
    return found


def _waving(avatar: Avatar, frame: int) -> DrivingSignal:
    pose: BodyPose = avatar.rest_pose[None]
    rotations = pose.joint_rotations.clone()
    for index, name in enumerate(avatar.body.driven_joints):
        if name.startswith(("upperarm", "lowerarm")):
            rotations[:, index, 1] = 0.5 * math.sin(0.2 * frame) * (1 if name.endswith(".L") else -1)
    expression = rotations.new_zeros(1, len(avatar.body.expression_names))
    expression[:, 0] = 0.5 + 0.5 * math.sin(0.3 * frame)
    return DrivingSignal(replace(pose, joint_rotations=rotations), expression)


def _timed(device: torch.device, work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what ``work`` returned."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1000 * (time.perf_counter() - start), result
