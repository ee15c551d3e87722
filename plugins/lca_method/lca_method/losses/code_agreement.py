"""Two codes that should be the same."""

from lca_shared.tensors import Float, Tensor


def code_agreement(
    first: Float[Tensor, "*b code"], second: Float[Tensor, "*b code"], weights: Float[Tensor, "*b"]
) -> Float[Tensor, ""]:
    """Mean squared difference over the codes that count; 0 if none does."""
    distances = (first - second).square().mean(dim=-1)
    return (distances * weights).sum() / weights.sum().clamp(min=1)
