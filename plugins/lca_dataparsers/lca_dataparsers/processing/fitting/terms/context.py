"""What a term sees: a prediction, its targets and a few facts about both."""

from collections.abc import Callable
from dataclasses import dataclass

from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.limits import LimitTable
from lca_dataparsers.processing.fitting.state import Prediction
from lca_dataparsers.processing.fitting.targets import Targets
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class TermContext:
    """Argument of every term."""

    prediction: Prediction
    targets: Targets
    limits: LimitTable
    """Anatomical frames and limits of the driven joints, and stiffness of the pose prior."""
    config: FitConfig
    focal_sigma: float
    contour_partner: Tensor
    """[frames, contour] index of the surface point nearest to each outline point, refreshed now and then."""
    outline_partner: Tensor
    """[frames, oval] index of the head's surface point beside each point of the face's outline."""
    cutoff: float
    """Where the robust norm of the body points turns over, in standard deviations."""


Term = Callable[[TermContext], Float[Tensor, ""]]
"""A mean over frames; unitless, residuals in standard deviations."""


def robust(squared: Float[Tensor, "*batch"], cutoff: float) -> Float[Tensor, "*batch"]:
    """Geman and McClure's norm of a squared residual: quadratic below ``cutoff``, flat far above it."""
    return squared / (1.0 + squared / cutoff**2)
