"""Frames of an avatar that moves."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from lca_method.avatar.acceleration import Compiled
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.device_driver import DeviceDriver
from lca_method.avatar.motion import Motion
from lca_method.batch import DrivingSignal
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize
from lca_shared.tensors import Float, Int, Tensor

if TYPE_CHECKING:
    from lca_method.avatar.relight_drawing import Look

TOGETHER = 4
"""Frames whose Gaussians a GPU computes at once; it changes the time, not the pictures."""


def filmed(
    avatar: Avatar,
    motion: Motion,
    cameras: Cameras,
    background: Float[Tensor, "3"] | None,
    *,
    reuse: bool = False,
    look: "Look | None" = None,
    compiled: Compiled = "no",
) -> Iterator[np.ndarray]:
    """Pictures uint8 [height, width, 3], one for each frame; with alpha [height, width, 4] if there is no background.

    Args:
        avatar: who moves.
        motion: named as the avatar's rig (``Motion.named``).
        cameras: ``[frames]``.
        background: sRGB.
        reuse: each picture may lie in the memory of the one before, which is no longer needed.
        look: the light, for relightable avatars; None = as photographed.
        compiled: how Gaussians are computed; not with a light.
    """
    if look is not None:
        from lca_method.avatar.relight_filming import relit_frames

        return relit_frames(avatar, motion, cameras, background, look)
    on_cpu = avatar.device.type == "cpu"
    return (_on_cpu if on_cpu else in_batches)(avatar, motion, cameras, background, reuse, compiled)


def drawer(
    avatar: Avatar, background: Float[Tensor, "3"] | None, compiled: Compiled = "no"
) -> Callable[[DrivingSignal, Cameras], np.ndarray]:
    """A function that draws one frame as :func:`filmed` with ``reuse`` does, from a signal ``[1, ...]`` named as the
    avatar's rig and a camera without batch axes."""
    if avatar.device.type != "cpu":
        on_device, solid = DeviceDriver(avatar, compiled), None if background is None else background.to(avatar.device)
        return lambda signal, camera: _picture(on_device.gaussians(signal)[0], camera, solid)
    from lca_method.avatar.cpu_driver import CpuDriver  # Numba takes a second that a GPU need not wait

    driver, kept = CpuDriver(avatar, compiled=compiled == "torch"), dict[tuple[int, int], Tensor]()

    def draw(signal: DrivingSignal, camera: Cameras) -> np.ndarray:
        size = (camera.height, camera.width)
        if size not in kept:
            kept[size] = torch.empty(*size, 4 if background is None else 3, dtype=torch.uint8)
        driver.picture(signal, camera, background, kept[size])
        return kept[size].numpy()

    return draw


def _on_cpu(
    avatar: Avatar,
    motion: Motion,
    cameras: Cameras,
    background: Float[Tensor, "3"] | None,
    reuse: bool,
    compiled: Compiled = "no",
) -> Iterator[np.ndarray]:
    draw = drawer(avatar, background, compiled)
    for index in range(len(motion)):
        picture = draw(signal_at(motion, slice(index, index + 1)), cameras[index])
        yield picture if reuse else picture.copy()


def in_batches(
    avatar: Avatar,
    motion: Motion,
    cameras: Cameras,
    background: Float[Tensor, "3"] | None,
    reuse: bool = False,
    compiled: Compiled = "no",
) -> Iterator[np.ndarray]:
    """:func:`filmed` through ``Avatar.drive``, on any device."""
    device, driver = avatar.device, DeviceDriver(avatar, compiled)
    solid = None if background is None else background.to(device)
    for start in range(0, len(motion), TOGETHER):
        there = min(TOGETHER, len(motion) - start)
        whole = TOGETHER if compiled != "no" else there  # what is compiled has one shape
        rows = (start + torch.arange(whole)).clamp(max=len(motion) - 1)
        gaussians = driver.gaussians(signal_at(motion, rows))
        for index in range(there):
            yield _picture(gaussians[index], cameras[start + index], solid)


def _picture(gaussians: Gaussians, camera: Cameras, background: Float[Tensor, "3"] | None) -> np.ndarray:
    """Drawn where the Gaussians are."""
    with torch.inference_mode():
        shown = rasterize(gaussians, camera.to(gaussians.means.device), background=background)
        picture = shown.colors if background is not None else _straight(shown.colors, shown.alpha)
        return (picture.clamp(0, 1) * 255 + 0.5).to(torch.uint8).movedim(0, -1).cpu().numpy()


def signal_at(motion: Motion, rows: slice | Int[Tensor, "rows"]) -> DrivingSignal:
    """The driving signal of some frames, float32."""
    signal = motion.signal
    confidence, code = signal.joint_confidence, signal.code
    return DrivingSignal(
        signal.pose[rows].to(dtype=torch.float32),
        signal.expression[rows].float(),
        None if confidence is None else confidence[rows].float(),
        None if code is None else code[rows].float(),
    )


def _straight(colors: Float[Tensor, "3 h w"], alpha: Float[Tensor, "1 h w"]) -> Float[Tensor, "4 h w"]:
    """Colours that are not multiplied by alpha, with alpha: what PNG means."""
    return torch.cat([colors / alpha.clamp(min=1e-6), alpha])
