"""Angles that people cannot reach."""

from lca_dataparsers.processing.fitting.terms.context import TermContext
from lca_shared.tensors import Float, Tensor

STIFFNESS = 20.0


def joint_limits(context: TermContext) -> Float[Tensor, ""]:
    """Squared excess of each angle over its limits."""
    excess = context.limits.excess(context.prediction.state.rotations)
    return STIFFNESS * excess.square().sum((1, 2)).mean()
