"""As close as possible: Gaussians stay near their point of the body, "as in LHM" (Section 3.2), in both readings."""

from lca_method.networks.subject import SubjectCode
from lca_shared.tensors import Float, Tensor


def acap_hinge(code: SubjectCode) -> Float[Tensor, "*b"]:
    """Mean of ``relu(|offset| - 0.05625 m)``: what LHM's released configs do."""
    return _beyond(code.offsets, 0.05625)


def acap_paper(code: SubjectCode) -> Float[Tensor, "*b"]:
    """Mean of ``relu(|offset| - 0.0525 m)``: with LHM's printed distance."""
    return _beyond(code.offsets, 0.0525)


def _beyond(offsets: Float[Tensor, "*b gaussians 3"], distance: float) -> Float[Tensor, "*b"]:
    # the tiny number keeps the gradient finite at the start, where every offset is 0
    return (offsets.square().sum(dim=-1).add(1e-12).sqrt() - distance).relu().mean(dim=-1)
