"""Frames of an avatar that moves."""

from collections.abc import Iterator

import numpy as np
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.motion import Motion
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.rendering import rasterize
from lca_shared.tensors import Float, Tensor


def filmed(
    avatar: Avatar,
    motion: Motion,
    cameras: Cameras,
    background: Float[Tensor, "3"] | None,
    *,
    together: int = 4,
) -> Iterator[np.ndarray]:
    """Pictures uint8 [height, width, 3], one for each frame; with alpha [height, width, 4] if there is no background.

    Args:
        avatar: who moves.
        motion: named as the avatar's rig (``Motion.named``).
        cameras: ``[frames]``.
        background: sRGB.
        together: frames whose Gaussians are computed at once; it changes the time, not the pictures.
    """
    device = avatar.device
    solid = None if background is None else background.to(device)
    with torch.inference_mode():
        for start in range(0, len(motion), together):
            part = slice(start, start + together)
            gaussians = _driven(avatar, motion, part)
            for index in range(gaussians.batch_shape[0]):
                shown = rasterize(gaussians[index], cameras[start + index].to(device), background=solid)
                picture = shown.colors if solid is not None else _straight(shown.colors, shown.alpha)
                yield (picture.clamp(0, 1) * 255 + 0.5).to(torch.uint8).movedim(0, -1).cpu().numpy()


def _driven(avatar: Avatar, motion: Motion, part: slice):
    signal = motion.signal
    device = avatar.device
    pose: BodyPose = signal.pose[part].to(device, torch.float32)
    code, confidence = signal.code, signal.joint_confidence
    return avatar.drive(
        pose,
        signal.expression[part].to(device),
        code=None if code is None else code[part].to(device),
        joint_confidence=None if confidence is None else confidence[part].to(device),
    )


def _straight(colors: Float[Tensor, "3 h w"], alpha: Float[Tensor, "1 h w"]) -> Float[Tensor, "4 h w"]:
    """Colours that are not multiplied by alpha, with alpha: what PNG means."""
    return torch.cat([colors / alpha.clamp(min=1e-6), alpha])
