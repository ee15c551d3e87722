"""Cameras of synthetic captures: around a person, close to head or hand, and a calibrated ring."""

import numpy as np
import torch

from lca_dataparsers.synthetic.noise import keyframed, smooth_signal
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.tensors import Float, Tensor

FRAMINGS: dict[str, tuple[float, float]] = {"full": (0.5, 1.14), "upper": (0.72, 0.62), "head": (0.88, 0.34)}
"""Where the middle of the picture is, and the picture's height, both as fractions of the person's height."""


def wild_cameras(
    random: np.random.Generator,
    times: np.ndarray,
    centers: Float[Tensor, "frames 3"],
    heights: Float[Tensor, "frames"],
    size: int,
    partial: float,
) -> Cameras:
    """A hand-held camera that follows a person.

    Args:
        random: the clip's generator.
        times: [frames] seconds.
        centers: middle of the person on the floor plane with z = 0, per frame, metres.
        heights: the posed person's height per frame, metres.
        size: side of the square picture, pixels.
        partial: share of key moments framed closer (upper body, head and shoulders).

    Returns:
        Cameras of batch shape [frames].
    """
    focal = random.uniform(1.1, 1.9)
    duration = float(times[-1] - times[0]) + 1e-3
    count = max(2, int(np.ceil(duration / 1.5)) + 1)
    keys = []
    for _ in range(count):
        close = random.random() < partial
        middle, extent = FRAMINGS[str(random.choice(["upper", "head"], p=[0.75, 0.25])) if close else "full"]
        keys.append([middle + random.normal(0, 0.015), extent * random.uniform(0.97, 1.15)])
    framing = keyframed(times, times[0] + np.linspace(0, duration, count), np.array(keys))
    # a picture as wide as it is high must also hold stretched arms: the full framing is never narrower than 1.75 m
    heights_np = heights.double().numpy()
    reference = np.maximum(heights_np, 1.5)
    extent = framing[:, 1] * reference
    distance = extent * focal
    azimuth = random.uniform(-0.5, 0.5) + smooth_signal(random, times, 5.0, 0.5)
    elevation = random.uniform(-0.05, 0.25) + smooth_signal(random, times, 4.0, 0.06)
    target = centers.double().numpy() + np.stack([np.zeros(len(times))] * 2 + [framing[:, 0] * heights_np], axis=-1)
    target += np.stack([smooth_signal(random, times, 2.0, 0.02) for _ in range(3)], axis=-1)
    around = np.stack(
        [np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], axis=-1
    )
    eye = target + around * distance[:, None]
    eye[:, 2] = np.maximum(eye[:, 2], 0.25)
    poses = look_at(torch.from_numpy(eye), torch.from_numpy(target)).float()
    intrinsics = pinhole_intrinsics(focal * size, size, size).expand(len(times), 3, 3).clone()
    return Cameras(poses, intrinsics, size, size)


def close_cameras(
    random: np.random.Generator,
    times: np.ndarray,
    middles: Float[Tensor, "frames 3"],
    facing: Float[Tensor, "frames 3"],
    extent: float,
    size: int,
) -> Cameras:
    """A hand-held camera that stays with a part of the body and sees it within half a radian of its front.

    Args:
        random: the clip's generator.
        times: [frames] seconds.
        middles: of the part, metres, world.
        facing: unit, where the part faces.
        extent: height of the picture at the part, metres.
        size: side of the square picture, pixels.

    Returns:
        Cameras of batch shape [frames].
    """
    focal = random.uniform(1.3, 2.2)
    forward = facing.double().numpy()
    azimuth = np.arctan2(forward[:, 0], -forward[:, 1]) + random.uniform(-0.25, 0.25)
    azimuth += smooth_signal(random, times, 3.0, 0.25)
    elevation = np.arcsin(np.clip(forward[:, 2], -1, 1)) * 0.7 + random.uniform(-0.1, 0.15)
    elevation = np.clip(elevation + smooth_signal(random, times, 3.0, 0.1), -1.2, 1.2)
    target = middles.double().numpy()
    target = target + np.stack([smooth_signal(random, times, 2.0, 0.02 * extent) for _ in range(3)], axis=-1)
    around = np.stack(
        [np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], axis=-1
    )
    eye = target + around * (extent * random.uniform(0.95, 1.1) * focal)
    poses = look_at(torch.from_numpy(eye), torch.from_numpy(target)).float()
    intrinsics = pinhole_intrinsics(focal * size, size, size).expand(len(times), 3, 3).clone()
    return Cameras(poses, intrinsics, size, size)


def ring_cameras(random: np.random.Generator, count: int, size: int) -> Cameras:
    """Calibrated cameras on a ring around the origin, 3.6 m away, at three heights, with slightly different lenses."""
    index = np.arange(count)
    azimuth = 2 * np.pi * index / count + random.normal(0, 0.03, count)
    height = np.array([1.0, 1.7, 0.5])[index % 3] + random.normal(0, 0.05, count)
    eye = np.stack([3.6 * np.sin(azimuth), -3.6 * np.cos(azimuth), height], axis=-1)
    target = np.array([0.0, 0.0, 0.95]) + random.normal(0, 0.02, (count, 3))
    poses = look_at(torch.from_numpy(eye), torch.from_numpy(target)).float()
    intrinsics = torch.stack(
        [pinhole_intrinsics(float(f) * size, size, size) for f in random.uniform(1.5, 1.65, count)]
    )
    return Cameras(poses, intrinsics, size, size)
