"""Motion without jitter, in time that may have gaps."""

import torch

from lca_dataparsers.processing.fitting.terms.context import TermContext, robust
from lca_shared.tensors import Float, Tensor

REFERENCE_STEP = 1.0 / 30.0
"""Seconds between frames that the standard deviations below are for; they grow with longer steps."""
LONGEST_STEP = 0.15
"""Seconds: frames farther apart know nothing of each other."""
JOINT_SIGMA = 0.01
"""Metres a frame squared, relative to the root."""
ROOT_SIGMA = (0.006, 0.003, 0.006)
"""Metres a frame squared, across, in depth, up: the picture says little about depth, which would tremble."""
ROOT_CUTOFF = 20.0
ROTATION_SIGMA = 0.32
"""Radians between frames: keeps joints still that no landmark tells about."""


def smoothness(context: TermContext) -> Float[Tensor, ""]:
    """Accelerations of joints (relative to the root) and of the root, and steps of rotations."""
    zero = context.targets.times.new_zeros(())
    if context.config.independent_frames or len(context.targets) < 3:
        return zero
    state, times = context.prediction.state, context.targets.times
    step = times[1:] - times[:-1]
    near = ((step > 0) & (step < LONGEST_STEP)).to(step)
    pace = (step / REFERENCE_STEP).clamp(1.0, LONGEST_STEP / REFERENCE_STEP)
    turned = (state.rotations[1:] - state.rotations[:-1]).square().sum((1, 2)) / (ROTATION_SIGMA**2 * pace)
    pair = near[1:] * near[:-1]
    pace = torch.maximum(pace[1:], pace[:-1]) ** 2
    relative = context.prediction.joints - state.translation[:, None]
    joints = (_acceleration(relative, step) / (JOINT_SIGMA * pace[:, None, None])).square().sum(-1).mean(dim=1)
    sigma = state.translation.new_tensor(ROOT_SIGMA) * pace[:, None]
    root = (_acceleration(state.translation[:, None], step)[:, 0] / sigma).square().sum(-1)
    accelerated = pair * (2.0 * joints + 0.5 * robust(root, ROOT_CUTOFF))
    return (near * turned).mean() + accelerated.mean()


def _acceleration(points: Float[Tensor, "frames points 3"], step: Float[Tensor, "steps"]) -> Tensor:
    """Second differences, for uneven steps weighed so that constant speed gives zero; metres a frame squared."""
    step = step.clamp(min=1e-6)[:, None, None]
    mean = 0.5 * (step[1:] + step[:-1])
    speed = (points[1:] - points[:-1]) / step
    return (speed[1:] - speed[:-1]) * mean
