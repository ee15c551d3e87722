"""Times of the ways to compute a frame's Gaussians: precision, torch.compile, CUDA graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch

from lca_method.avatar.acceleration import DTYPES, Compiled, Precision
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.frame_timing import timed, waving
from lca_method.batch import DrivingSignal
from lca_shared.gaussians import Gaussians

_WARM_UP = 5
Way = tuple[Precision, Compiled]


@dataclass(frozen=True)
class WayTiming:
    """One way."""

    way: Way
    milliseconds: float
    """Median, from the driving signal to Gaussians in the world."""
    moved: float
    """Metres: the largest distance of a Gaussian from where fp32 has it."""


def ways_of(device: str, compiled: bool) -> Sequence[Way]:
    """What a device can do; the first is fp32 as it is.

    Args:
        device: ``cpu`` or ``cuda``.
        compiled: also what has to be compiled first.
    """
    precisions: list[Precision] = ["fp32", "bf16"] if device == "cpu" else ["fp32", "bf16", "fp16"]
    compilers: list[Compiled] = ["no"]
    if compiled:
        compilers.append("torch")
    if compiled and device != "cpu":
        compilers.append("graph")
    return [(precision, compiler) for compiler in compilers for precision in precisions]


def timed_ways(avatar: Avatar, ways: Sequence[Way], frames: int) -> list[WayTiming]:
    """Time each way on an avatar that waves its arms.

    Args:
        avatar: on the device to be timed; its precision is as before afterwards.
        ways: the first is what the others are compared with.
        frames: timed, each in another pose.
    """
    found, before, truth = [], avatar.head_dtype, torch.zeros(0)
    for precision, compiled in ways:
        avatar.head_dtype = DTYPES[precision]
        try:
            drive = _driving(avatar, compiled)
            took = [
                timed(avatar.device, partial(drive, waving(avatar, frame)))[0] for frame in range(-_WARM_UP, frames)
            ]
            means = drive(waving(avatar, 3)).means.reshape(-1, 3).clone()
        finally:
            avatar.head_dtype = before
        truth = means if len(found) == 0 else truth
        moved = float((means - truth).norm(dim=1).max())
        found.append(WayTiming((precision, compiled), median(took[_WARM_UP:]), moved))
    return found


def _driving(avatar: Avatar, compiled: Compiled) -> Callable[[DrivingSignal], Gaussians]:
    if avatar.device.type == "cpu":
        from lca_method.avatar.cpu_driver import CpuDriver

        return CpuDriver(avatar, compiled=compiled == "torch").gaussians
    from lca_method.avatar.device_driver import DeviceDriver

    return DeviceDriver(avatar, compiled).gaussians
