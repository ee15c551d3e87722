"""The outline of the face: the head is at least as wide as the face in the picture."""

import torch

from lca_dataparsers.processing.fitting.state import Prediction
from lca_dataparsers.processing.fitting.targets import Targets
from lca_dataparsers.processing.fitting.terms.context import TermContext, robust
from lca_shared.tensors import Float, Int, Tensor

SIGMA = 0.02
"""Of the face's size."""
CUTOFF = 6.0
SIDEWAYS = 1.5
"""A surface point off to the side of an outline point may stand for it if it lies this much farther out."""


def head_outline(context: TermContext) -> Float[Tensor, ""]:
    """How far the head's outline stays inside the face's outline, landmark by landmark.

    Landmarks around the face slide over the skin when the head turns, so they cannot be tied to points of the surface,
    and skin, ears and hair may lie outside them: only a head that is too narrow costs. Masks do not tell: hair hides
    the skull, and collars the jaw.
    """
    targets = context.targets
    offset = outline_offsets(context.prediction, targets, context.outline_partner)
    squared = (offset.clamp(max=0.0) / (SIGMA * targets.face_size[:, None])).square()
    return (targets.face_seen * robust(squared, CUTOFF).mean(dim=1)).mean()


def outline_offsets(
    prediction: Prediction, targets: Targets, partner: Int[Tensor, "frames oval"]
) -> Float[Tensor, "frames oval"]:
    """How far the head reaches beyond the outline, pixels; negative where it stays inside."""
    chosen = torch.gather(head_surface(prediction), 1, partner[..., None].expand(-1, -1, 2))
    return ((chosen - targets.outline) * targets.outline_normal).sum(dim=-1)


def outline_partners(prediction: Prediction, targets: Targets) -> Int[Tensor, "frames oval"]:
    """For each outline point the head's surface point that lies farthest out beside it."""
    with torch.no_grad():
        offset = head_surface(prediction)[:, None] - targets.outline[:, :, None]
        normal = targets.outline_normal[:, :, None]
        out = (offset * normal).sum(dim=-1)
        aside = (offset[..., 0] * normal[..., 1] - offset[..., 1] * normal[..., 0]).abs()
        return (out - SIDEWAYS * aside).argmax(dim=-1)


def head_surface(prediction: Prediction) -> Float[Tensor, "frames points 2"]:
    """Pixels of the head's surface points."""
    return prediction.pixels["surface"][:, -prediction.body.head_surface :]
