"""The person's mask: the body stays inside it, and reaches its outline where no clothes or hair can be in between."""

import torch

from lca_dataparsers.processing.fitting.terms.context import TermContext, robust
from lca_shared.tensors import Float, Tensor

SIGMA = 0.01
"""Of the person's height."""
OUTSIDE_CUTOFF = 6.0
COVERAGE_CUTOFF = 3.0
"""Small on purpose: an outline farther than a few percent of the height is a skirt or hair, and must not pull."""


def outside(context: TermContext) -> Float[Tensor, ""]:
    """How far surface points lie outside the mask; points outside the picture do not count."""
    targets = context.targets
    grid = context.prediction.pixels["surface"] / targets.picture * 2.0 - 1.0
    distance = torch.nn.functional.grid_sample(
        targets.outside_distance, grid[:, :, None], align_corners=False, padding_mode="border"
    )[:, 0, :, 0]
    within = (grid.detach().abs() < 1.0).all(dim=-1)
    squared = (distance / (SIGMA * targets.person_height[:, None])).square()
    return (within * robust(squared, OUTSIDE_CUTOFF)).mean()


def coverage(context: TermContext) -> Float[Tensor, ""]:
    """How far the mask's outline is from the nearest surface point."""
    targets = context.targets
    partner = context.contour_partner[..., None].expand(-1, -1, 2)
    offset = torch.gather(context.prediction.pixels["surface"], 1, partner) - targets.contour
    squared = (offset / (SIGMA * targets.person_height[:, None, None])).square().sum(-1)
    return (targets.contour_weight * robust(squared, COVERAGE_CUTOFF)).mean()
