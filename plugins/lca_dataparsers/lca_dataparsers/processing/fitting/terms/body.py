"""Body landmarks in the picture and in the detector's 3D."""

from lca_dataparsers.processing.fitting.state import to_camera
from lca_dataparsers.processing.fitting.terms.context import TermContext, robust
from lca_shared.tensors import Float, Tensor

PICTURE_SIGMA = 0.01
"""Of the person's height."""
WORLD_SIGMA = 0.08
"""Metres: the detector's depths are rough."""
WORLD_CUTOFF = 4.0
SCALE_RANGE = (0.75, 1.5)
"""The detector's skeleton is brought to the body's size per frame, within this range."""


def body(context: TermContext) -> Float[Tensor, ""]:
    """Distance of body points from the detector's, robust: a few landmarks of a frame may be wrong."""
    targets = context.targets
    offset = context.prediction.pixels["body"] - targets.body
    squared = (offset / (PICTURE_SIGMA * targets.person_height[:, None, None])).square().sum(-1)
    return (targets.body_weight * robust(squared, context.cutoff)).sum(dim=1).mean()


def body_world(context: TermContext) -> Float[Tensor, ""]:
    """Distance from the detector's 3D points, both centred, the detector's scaled to fit in every frame.

    It decides what the picture leaves open: which limb is in front.
    """
    targets, prediction = context.targets, context.prediction
    weight = targets.world_weight[..., None]
    ours = _centred(to_camera(prediction.points["body"]), weight)
    theirs = _centred(targets.body_world, weight)
    scale = (ours * theirs * weight).sum((1, 2)) / (theirs.square() * weight).sum((1, 2)).clamp(min=1e-4)
    theirs = theirs * scale.detach().clamp(*SCALE_RANGE)[:, None, None]
    squared = ((ours - theirs) / WORLD_SIGMA).square().sum(-1)
    return (weight[..., 0] * robust(squared, WORLD_CUTOFF)).sum(dim=1).mean()


def _centred(points: Tensor, weight: Tensor) -> Tensor:
    return points - (points * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
