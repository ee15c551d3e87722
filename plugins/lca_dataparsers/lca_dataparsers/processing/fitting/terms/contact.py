"""Feet that stand: they stay where they are, and stand on one ground."""

import torch

from lca_dataparsers.processing.fitting.terms.context import TermContext, robust
from lca_dataparsers.processing.fitting.terms.smoothness import LONGEST_STEP, REFERENCE_STEP
from lca_shared.tensors import Float, Tensor

FOOT_LANDMARKS = ((29, 31), (30, 32))
"""Heel and toes of the left and the right foot, in MediaPipe's body points."""
SLIDE_SIGMA = (0.015, 0.005, 0.015)
"""Metres a frame of :data:`REFERENCE_STEP`, across, in depth, up: in the picture feet are seen well enough, and what
slides does so in depth."""
SLIDE_CUTOFF = 4.0
GROUND_SIGMA = 0.02
"""Metres."""
GROUND_CUTOFF = 3.0
"""A foot that is held still in the air is not pulled down."""
LEVEL_SPREAD = 0.3
"""Metres in depth over which feet must be spread to tell as much of the ground's slope as its prior (level) does."""


def contact(context: TermContext) -> Float[Tensor, ""]:
    """Steps of feet that look still in the picture, and their height over the plane through all of them.

    The plane rises with depth alone: a camera may look down or up, but is not tilted sideways.
    """
    targets, body = context.targets, context.prediction.body
    zero = targets.times.new_zeros(())
    if context.config.independent_frames or len(targets) < 2:
        return zero
    at = [[body.body_landmarks.index(k) for k in foot] for foot in FOOT_LANDMARKS]
    feet = context.prediction.points["body"][:, at]
    still = targets.foot_still
    step = targets.times[1:] - targets.times[:-1]
    near = ((step > 0) & (step < LONGEST_STEP)).to(step)
    pace = (step / REFERENCE_STEP).clamp(1.0, LONGEST_STEP / REFERENCE_STEP)
    moved = (feet[1:] - feet[:-1]) / (feet.new_tensor(SLIDE_SIGMA) * pace[:, None, None, None])
    both = near[:, None] * torch.minimum(still[1:], still[:-1])
    slides = (both * robust(moved.square().sum(-1), SLIDE_CUTOFF).mean(dim=-1)).sum() / (len(targets) - 1)
    off = (feet[..., 2] - ground(feet, still)) / GROUND_SIGMA
    return slides + (still * robust(off.square(), GROUND_CUTOFF).mean(dim=-1)).sum() / len(targets)


def ground(feet: Float[Tensor, "frames 2 2 3"], still: Float[Tensor, "frames 2"]) -> Float[Tensor, "frames 2 2"]:
    """Height of the ground under each point: a line through height over depth, weighed by how still feet are."""
    weight = still[..., None].expand(feet.shape[:3])
    total = weight.sum().clamp(min=1e-6)
    depth, height = feet[..., 1], feet[..., 2]
    middle, level = (weight * depth).sum() / total, (weight * height).sum() / total
    slope = (weight * (depth - middle) * (height - level)).sum() / (
        (weight * (depth - middle).square()).sum() + LEVEL_SPREAD**2 * total
    )
    return level + slope * (depth - middle)
