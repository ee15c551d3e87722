"""What is likely of a person and a camera before looking."""

from lca_dataparsers.processing.fitting.terms.context import TermContext
from lca_shared.tensors import Float, Tensor


def shape_prior(context: TermContext) -> Float[Tensor, ""]:
    """Half the squared length of the shape coefficients: they are standard normal over adults."""
    return 0.5 * context.prediction.state.shape.square().sum()


def focal_prior(context: TermContext) -> Float[Tensor, ""]:
    """Half the squared logarithm of focal length over its prior, in standard deviations."""
    return 0.5 * (context.prediction.state.log_focal / context.focal_sigma).square()
