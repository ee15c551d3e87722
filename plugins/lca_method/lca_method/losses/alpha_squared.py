"""Squared difference of alpha and mask (LHM's)."""

from lca_shared.tensors import Float, Tensor


def alpha_squared(alpha: Float[Tensor, "*b 1 h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b 1 h w"]:
    """``(alpha - mask)^2`` at every pixel."""
    return (alpha - masks).square()
