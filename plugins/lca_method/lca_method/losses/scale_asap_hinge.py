"""As spherical as possible, as LHM's released configs have it: only long Gaussians cost."""

from lca_method.networks.subject import SubjectCode
from lca_shared.tensors import Float, Tensor


def asap_hinge(code: SubjectCode) -> Float[Tensor, "*b"]:
    """Mean of ``relu(largest scale / (smallest scale + 1e-6 m) - 5)``."""
    scales = code.canonical.scales
    return (scales.amax(dim=-1) / (scales.amin(dim=-1) + 1e-6) - 5).relu().mean(dim=-1)
