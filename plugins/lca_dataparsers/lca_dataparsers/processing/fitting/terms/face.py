"""Face landmarks."""

from lca_dataparsers.processing.fitting.terms.context import TermContext, robust
from lca_shared.tensors import Float, Tensor

SIGMA = 0.02
"""Of the face's size."""
CUTOFF = 4.0


def face(context: TermContext) -> Float[Tensor, ""]:
    """Distance of face points, with the frame's expression, from the detector's."""
    targets = context.targets
    offset = context.prediction.pixels["face"] - targets.face
    squared = (offset / (SIGMA * targets.face_size[:, None, None])).square().sum(-1)
    return (targets.face_seen * robust(squared, CUTOFF).mean(dim=1)).mean()
