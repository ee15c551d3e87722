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
from lca_shared.cameras import Cameras
from lca_shared.rendering import rasterize

PARTS = ("driving vector", "pose head", "body", "skinning", "rasterizer")
"""driving vector: numbers from pose, expression, gaze; pose head: the network; body: kinematics and expressions;
skinning: deltas added and Gaussians carried into the world; rasterizer: the picture (on a CPU as bytes)."""
_WARM_UP = 5


@dataclass(frozen=True)
class FrameTiming:
    """Medians over frames."""

    parts: Mapping[str, float]
    """Milliseconds of each of :data:`PARTS`."""
    whole: float
    """Milliseconds of a frame."""


def timed_frames(avatar: Avatar, size: int, frames: int) -> FrameTiming:
    """Time an avatar that waves its arms.

    Args:
        avatar: on the device to be timed.
        size: side of the picture, pixels.
        frames: timed, each in another pose.
    """
    device = avatar.device
    camera = cameras_around(avatar.body, torch.zeros(1, 3), (size, size))[0].to(device)
    frame_parts: Steps = _cpu_steps(avatar, camera) if device.type == "cpu" else _torch_steps(avatar, camera)
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    whole = []
    with torch.inference_mode():
        for frame in range(-_WARM_UP, frames):
            signal = waving(avatar, frame)
            took, value = {}, None
            start = time.perf_counter()
            for name, step in zip(PARTS, frame_parts, strict=True):
                took[name], value = timed(device, partial(step, signal, value))
            if frame >= 0:
                whole.append(1000 * (time.perf_counter() - start))
                for name, spent in took.items():
                    parts[name].append(spent)
    return FrameTiming({name: median(values) for name, values in parts.items()}, median(whole))


Steps = tuple[Callable[[DrivingSignal, Any], Any], ...]
"""For each of :data:`PARTS`: from the signal and what the step before returned to what the next one gets."""


def _cpu_steps(avatar: Avatar, camera: Cameras) -> Steps:
    """As ``lca drive`` draws on a CPU."""
    from lca_method.avatar.cpu_driver import CpuDriver, draw

    driver, white = CpuDriver(avatar), torch.ones(3)
    out = torch.empty(camera.height, camera.width, 3, dtype=torch.uint8)
    return (
        lambda signal, _: avatar.driving_vector(signal),
        lambda _, vector: driver.deltas(vector),
        lambda signal, raw: (raw, driver.transforms(signal)),
        lambda _, both: driver.carried(*both),
        lambda _, gaussians: draw(gaussians, camera, white, out),
    )


def _torch_steps(avatar: Avatar, camera: Cameras) -> Steps:
    """As ``Avatar.render`` draws, on any device."""
    network, expressive = avatar.driving_vector, avatar.networks.template_expression
    white = torch.ones(3, device=avatar.device)

    def set_up(signal: DrivingSignal, moved: Any) -> Any:
        expression = network.expression.template_coefficients(signal) if expressive else None
        return frame_of_body(
            avatar.body, signal.expression.new_zeros(1, 0), signal.pose, expression, avatar.followed_weights
        ), moved

    return (
        lambda signal, _: network(signal),
        lambda _, vector: avatar.pose_head(avatar.token_half, vector).in_full().applied_to(avatar.canonical),
        set_up,
        lambda _, both: both[0].carried(both[1]),
        lambda _, gaussians: rasterize(gaussians, camera, background=white),
    )


def waving(avatar: Avatar, frame: int) -> DrivingSignal:
    """The driving signal ``[1, ...]`` of a frame in which the avatar waves its arms."""
    pose: BodyPose = avatar.rest_pose[None]
    rotations = pose.joint_rotations.clone()
    for index, name in enumerate(avatar.body.driven_joints):
        if name.startswith(("upperarm", "lowerarm")):
            rotations[:, index, 1] = 0.5 * math.sin(0.2 * frame) * (1 if name.endswith(".L") else -1)
    expression = rotations.new_zeros(1, len(avatar.body.expression_names))
    expression[:, 0] = 0.5 + 0.5 * math.sin(0.3 * frame)
    return DrivingSignal(replace(pose, joint_rotations=rotations), expression)


def timed(device: torch.device, work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what ``work`` returned."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1000 * (time.perf_counter() - start), result
