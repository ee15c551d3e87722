"""Absolute difference of alpha and mask."""

from lca_shared.tensors import Float, Tensor


def alpha_l1(alpha: Float[Tensor, "*b 1 h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b 1 h w"]:
    """``|alpha - mask|`` at every pixel."""
    return (alpha - masks).abs()
