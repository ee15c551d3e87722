"""What a frame costs at least: counted operations and bytes of each part, over measured speeds of the machine."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.viewpoints import cameras_around
from lca_shared.rendering import Convention

_NUMBER = 4
"""Bytes of a float32."""
_SPLAT_OPERATIONS = 30
"""Of one Gaussian at one pixel: its exponent (8), the exponential (about 10), blending colours and depth (12)."""


@dataclass(frozen=True)
class Peak:
    """What a machine reaches."""

    operations: float
    """A second: a product of two float32 matrices of 1024 x 1024."""
    bytes: float
    """A second, read and written: a copy of 64 MB."""


@dataclass(frozen=True)
class Work:
    """Of one part of a frame."""

    operations: float
    bytes: float

    def milliseconds(self, peak: Peak) -> float:
        """The longer of both, if nothing else took time."""
        return 1000 * max(self.operations / peak.operations, self.bytes / peak.bytes)


def measured_peak(device: str) -> Peak:
    """Best of several tries, on as many threads as torch uses."""
    matrix = torch.randn(1024, 1024, device=device)
    block = torch.randn(1 << 24, device=device)
    target = torch.empty_like(block)
    product = torch.empty_like(matrix)
    return Peak(
        2 * 1024**3 / _least(lambda: torch.mm(matrix, matrix, out=product), device),
        2 * _NUMBER * block.numel() / _least(lambda: target.copy_(block), device),
    )


def frame_work(avatar: Avatar, size: int) -> Mapping[str, Work]:
    """Operations and bytes of each part of ``lca_method.avatar.frame_timing.PARTS`` at rest.

    Bytes are those of inputs and outputs, each once, as if nothing in between left the processor.

    Args:
        avatar: on any device.
        size: side of the picture, pixels.
    """
    head, body, count = avatar.pose_head, avatar.body, avatar.canonical.count
    tokens = len(avatar.token_half)
    driving, channels = head.of_driving.in_features, head.deltas.out_features
    weights = sum(parameter.numel() for parameter in head.parameters())
    per_token = sum(p.numel() for name, p in head.named_parameters() if not name.startswith("of_driving"))
    expressions, moving = body.expression_vertices.shape[:2]
    influences = int((avatar.skinning_weights != 0).sum(dim=1).max())
    pairs = splat_pixels(avatar, size)
    return {
        "driving vector": Work(20.0 * driving, _NUMBER * 2.0 * driving),
        "pose head": Work(2.0 * tokens * per_token, 4.0 * (weights + tokens * (avatar.token_half.shape[1] + channels))),
        "body": Work(2.0 * expressions * moving * 3, _NUMBER * 3.0 * (expressions + 1) * moving),
        "skinning": Work(count * (24.0 * influences + 150), count * (8.0 * influences + _NUMBER * (14 + 13 + 14))),
        "rasterizer": Work(_SPLAT_OPERATIONS * pairs + 120.0 * count, _NUMBER * 14.0 * count + 3.0 * size * size),
    }


def splat_pixels(avatar: Avatar, size: int) -> float:
    """How many times a Gaussian is looked at in a pixel: sum of the areas of their rectangles in the picture."""
    from lca_shared.rendering.numba_backend import camera_numbers
    from lca_shared.rendering.numba_projection import project

    gaussians = avatar.drive(avatar.rest_pose).to(device="cpu")
    camera = cameras_around(avatar.body, torch.zeros(1, 3), (size, size))[0]
    rule = Convention.installed()
    numbers = (rule.near, rule.far, rule.covariance_blur, rule.frustum_margin, rule.min_alpha)
    _, boxes = project(
        *(getattr(gaussians, name).contiguous().numpy() for name in ("means", "quaternions", "scales", "opacities")),
        camera_numbers(camera.camera_from_world, camera.intrinsics), np.array(numbers, np.float32),
        rule.isotropic_radius, rule.tile, size, size,
    )  # fmt: skip
    boxes = boxes.astype(np.int64)
    return float(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum())


def _least(work: Callable[[], object], device: str) -> float:
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
