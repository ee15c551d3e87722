"""As spherical as possible, as LHM's paper is said to write it: covariances near multiples of the identity."""

from lca_method.networks.subject import SubjectCode
from lca_shared.tensors import Float, Tensor


def asap_covariance(code: SubjectCode) -> Float[Tensor, "*b"]:
    """Mean squared Frobenius distance of each covariance, divided by the mean of its eigenvalues, from the identity.
    The rotation drops out.
    """
    variances = code.canonical.scales.square()
    return (variances / variances.mean(dim=-1, keepdim=True) - 1).square().sum(dim=-1).mean(dim=-1)
