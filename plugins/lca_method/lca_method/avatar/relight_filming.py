"""Frames of an avatar that moves in chosen light."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.filming import signal_at
from lca_method.avatar.motion import Motion
from lca_method.avatar.relight_drawing import Look, over, relit_picture
from lca_method.avatar.relight_options import about_vertical
from lca_method.batch import DrivingSignal
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor


def relit_frames(
    avatar: Avatar, motion: Motion, cameras: Cameras, background: Float[Tensor, "3"] | None, look: Look
) -> Iterator[np.ndarray]:
    """As ``filming.filmed``, relit.

    Raises:
        UserError: the avatar is not relightable.
    """
    drive = HiddenDriver(avatar)
    for index in range(len(motion)):
        signal = signal_at(motion, slice(index, index + 1))
        turned = look
        if look.turned_per_frame and look.lights.environment is not None:
            turn = about_vertical(index * look.turned_per_frame)
            turned = replace(look, lights=replace(look.lights, environment=look.lights.environment.turned(turn)))
        with torch.inference_mode():
            gaussians, pose, hidden = drive(signal)
            camera = cameras[index].to(avatar.device)
            colors, alpha = relit_picture(avatar, gaussians, pose, hidden, camera, turned)
            behind = None if background is None else background.to(avatar.device)
            picture = over(colors, alpha, behind).clamp(0, 1)
            yield (picture * 255 + 0.5).to(torch.uint8).movedim(0, -1).cpu().numpy()


class HiddenDriver:
    """Calls give the Gaussians of a frame (world, no batch axes), its pose ``[1]`` on the avatar's device, and what
    relighting reads of the pose-dependent head.

    Args:
        avatar: on any device.
    """

    def __init__(self, avatar: Avatar) -> None:
        self._avatar = avatar
        self._driver = None
        if avatar.device.type == "cpu":
            from lca_method.avatar.cpu_driver import CpuDriver

            self._driver = CpuDriver(avatar)

    def __call__(self, signal: DrivingSignal) -> tuple[Gaussians, BodyPose, Float[Tensor, "tokens hidden"]]:
        """Args: of one frame, ``[1, ...]``, on the CPU. The next call may write over what this one gave."""
        avatar = self._avatar
        if self._driver is not None:
            return self._driver.gaussians(signal), signal.pose, self._driver.hidden
        device, confidence, code = avatar.device, signal.joint_confidence, signal.code
        there = DrivingSignal(
            signal.pose.to(device),
            signal.expression.to(device),
            None if confidence is None else confidence.to(device),
            None if code is None else code.to(device),
        )
        gaussians = avatar.drive(
            there.pose, there.expression, code=there.code, joint_confidence=there.joint_confidence
        )[0]
        hidden = avatar.pose_head.hidden(avatar.token_half, avatar.driving_vector(there))[0]
        return gaussians, there.pose, hidden
