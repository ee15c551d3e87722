"""What is likely of a person and a camera before looking."""

from lca_dataparsers.processing.fitting.terms.context import TermContext
from lca_shared.tensors import Float, Tensor

STIFFER = {"head_height": 4.0, "head_depth": 4.0}
"""Shape coefficients that one picture hardly tells: a nod shortens the face as a low head does, and hairlines and
beards hide its ends."""


def shape_prior(context: TermContext) -> Float[Tensor, ""]:
    """Half the squared shape coefficients, weighed: they are standard normal over adults."""
    shape = context.prediction.state.shape
    weights = shape.new_tensor([STIFFER.get(name, 1.0) for name in context.prediction.body.shape_names])
    return 0.5 * (weights * shape.square()).sum()


def focal_prior(context: TermContext) -> Float[Tensor, ""]:
    """Half the squared logarithm of focal length over its prior, in standard deviations."""
    return 0.5 * (context.prediction.state.log_focal / context.focal_sigma).square()
