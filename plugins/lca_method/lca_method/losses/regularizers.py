"""What keeps Gaussians near the body and roughly round: "as in LHM" (Section 3.2), in both readings.

``*_hinge`` is what LHM's released configs do, ``acap_paper`` and ``asap_covariance`` what its paper is said to write.
Each takes a person's code and returns a number per person.
"""

from collections.abc import Callable

from lca_method.networks.subject import SubjectCode
from lca_shared.tensors import Float, Tensor


def acap_hinge(code: SubjectCode) -> Float[Tensor, "*b"]:
    """As close as possible: mean of ``relu(|offset| - 0.05625 m)``."""
    return _beyond(code.offsets, 0.05625)


def acap_paper(code: SubjectCode) -> Float[Tensor, "*b"]:
    """As close as possible with LHM's printed distance: mean of ``relu(|offset| - 0.0525 m)``."""
    return _beyond(code.offsets, 0.0525)


def asap_hinge(code: SubjectCode) -> Float[Tensor, "*b"]:
    """As spherical as possible: mean of ``relu(largest scale / (smallest scale + 1e-6 m) - 5)``."""
    scales = code.canonical.scales
    return (scales.amax(dim=-1) / (scales.amin(dim=-1) + 1e-6) - 5).relu().mean(dim=-1)


def asap_covariance(code: SubjectCode) -> Float[Tensor, "*b"]:
    """As spherical as possible: mean squared Frobenius distance of each covariance, divided by the mean of its
    eigenvalues, from the identity. The rotation drops out.
    """
    variances = code.canonical.scales.square()
    return (variances / variances.mean(dim=-1, keepdim=True) - 1).square().sum(dim=-1).mean(dim=-1)


def _beyond(offsets: Float[Tensor, "*b gaussians 3"], distance: float) -> Float[Tensor, "*b"]:
    # the tiny number keeps the gradient finite at the start, where every offset is 0
    return (offsets.square().sum(dim=-1).add(1e-12).sqrt() - distance).relu().mean(dim=-1)


Regularizer = Callable[[SubjectCode], Tensor]

POSITION_REGULARIZERS: dict[str, Regularizer] = {"acap_hinge": acap_hinge, "acap_paper": acap_paper}
SCALE_REGULARIZERS: dict[str, Regularizer] = {"asap_hinge": asap_hinge, "asap_covariance": asap_covariance}
