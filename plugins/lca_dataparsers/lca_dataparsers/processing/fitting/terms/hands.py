"""Hand landmarks."""

import torch

from lca_dataparsers.processing.fitting.terms.context import TermContext, robust
from lca_shared.tensors import Float, Tensor

SIGMA = 0.01
"""Of the person's height."""
CUTOFF = 4.0


def hands(context: TermContext) -> Float[Tensor, ""]:
    """Distance of wrist, finger joints and fingertips from the detector's, for hands it was sure of."""
    targets, prediction = context.targets, context.prediction
    ours = torch.stack([prediction.pixels["left_hand"], prediction.pixels["right_hand"]], dim=1)
    squared = ((ours - targets.hands) / (SIGMA * targets.person_height[:, None, None, None])).square().sum(-1)
    return (targets.hand_weight * robust(squared, CUTOFF).mean(dim=-1)).sum(dim=1).mean()
