"""An avatar's Gaussians in one frame of a motion."""

import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.motion import Motion
from lca_shared.gaussians import Gaussians


def gaussians_of(avatar: Avatar, motion: Motion | None, frame: int) -> Gaussians:
    """Of a frame, world; of the avatar at rest if there is no motion. On the CPU."""
    if motion is None:
        return avatar.canonical.to("cpu")
    signal = motion.signal
    with torch.inference_mode():
        driven = avatar.drive(
            signal.pose[frame].to(avatar.device, torch.float32),
            signal.expression[frame].to(avatar.device),
            code=None if signal.code is None else signal.code[frame].to(avatar.device),
            joint_confidence=None
            if signal.joint_confidence is None
            else signal.joint_confidence[frame].to(avatar.device),
        )
    return driven.to("cpu")
