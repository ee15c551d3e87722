"""Binary cross-entropy of alpha and mask."""

from lca_shared.tensors import Float, Tensor


def alpha_cross_entropy(
    alpha: Float[Tensor, "*b 1 h w"], masks: Float[Tensor, "*b 1 h w"]
) -> Float[Tensor, "*b 1 h w"]:
    """Cross-entropy at every pixel, alpha kept 1e-3 away from 0 and 1."""
    bounded = alpha.clamp(1e-3, 1 - 1e-3)
    return -(masks * bounded.log() + (1 - masks) * (1 - bounded).log())
