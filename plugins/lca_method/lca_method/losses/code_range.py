"""Template expressions that stay what their names say."""

from lca_shared.tensors import Float, Tensor

SMALLNESS = 0.05


def code_range(
    template: Float[Tensor, "*b targets coefficients"], seen: Float[Tensor, "*b targets"]
) -> Float[Tensor, ""]:
    """Squared distance from the interval between neutral (0) and full (1), summed over a frame's coefficients, and a
    little (0.05) of their squares.

    Pictures alone leave open which of several expressions explains a moved lip; without this, large ones of opposite
    signs do it together.

    Args:
        template: coefficients.
        seen: 1 = counts.
    """
    beyond = template.clamp(max=0).square() + (template - 1).clamp(min=0).square()
    each = (beyond + SMALLNESS * template.square()).sum(dim=-1)
    return (each * seen).sum() / seen.sum().clamp(min=1)
