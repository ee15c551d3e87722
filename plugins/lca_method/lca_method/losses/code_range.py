"""Template expressions that stay what their names say."""

from lca_shared.tensors import Float, Tensor

SMALLNESS = 0.05
COMMON = 0.5


def code_range(
    template: Float[Tensor, "*b targets coefficients"], seen: Float[Tensor, "*b targets"]
) -> Float[Tensor, ""]:
    """Squared distance from the interval between neutral (0) and full (1), summed over a frame's coefficients, and a
    little (``SMALLNESS``) of their squares and, more (``COMMON``), of the squares of their means over all frames.

    Pictures alone leave open which of several expressions explains a moved lip; without this, large ones of opposite
    signs do it together, or all frames of everybody get one expression that happens to move points to plainer places.

    Args:
        template: coefficients.
        seen: 1 = counts.
    """
    beyond = template.clamp(max=0).square() + (template - 1).clamp(min=0).square()
    each = (beyond + SMALLNESS * template.square()).sum(dim=-1)
    counted = seen[..., None] / seen.sum().clamp(min=1)
    common = (template * counted).flatten(0, -2).sum(dim=0).square().sum()
    return (each * counted[..., 0]).sum() + COMMON * common
