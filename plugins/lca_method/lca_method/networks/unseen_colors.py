"""Colours for what no reference view shows, from what the views do show: people are much alike left and right, and
their clothes in front and behind.

A token's hidden points take the colours of seen tokens near it on the template, where near means near it, its mirror
image, or its other side. Not in the paper, whose model learns it from very many people.
"""

import torch

from lca_shared.tensors import Float, Tensor

_SOFTNESS = 0.03
"""Metres: tokens nearer than this count alike."""
_DEPTH = 0.3
"""How much of a distance from front to back counts on the body: a shirt's back is more like its front than like its
collar. On the head it counts in full: the back of a head is like its sides, not like the face."""
_REACH = 0.25
"""Metres: a seen token this far counts as much as the fallback."""


def likeness(points: Float[Tensor, "tokens 3"], head_from: float) -> Float[Tensor, "tokens tokens"]:
    """How much each token (row) learns of each other's colour (column): from 1 for itself down to 0 far away.

    Args:
        points: on the template at rest, metres: x to the side, y from front to back, z up.
        head_from: height at which the head begins, metres.
    """
    folded = torch.stack([points[:, 0].abs(), points[:, 2]], dim=-1)
    across = (folded[:, None] - folded[None, :]).square().sum(dim=-1)
    on_head = points[:, 2] > head_from
    share = torch.where(on_head[:, None] | on_head[None, :], 1.0, _DEPTH)
    through = (share * (points[:, None, 1] - points[None, :, 1])).square()
    return _weight(across + through)


def _weight(squared: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """Args: squared distances, square metres."""
    return (1 + squared / _SOFTNESS**2) ** -3


def filled_in(
    colors: Float[Tensor, "*b gaussians 3"],
    seen: Float[Tensor, "*b gaussians"],
    fallback: Float[Tensor, "*b gaussians 3"],
    likenesses: Float[Tensor, "tokens tokens"],
) -> Float[Tensor, "*b gaussians 3"]:
    """Colours to use where a point is not seen; sRGB 0..1.

    Args:
        colors: seen colours, summed over views with the weights ``seen``; the Gaussians of one token in a row.
        seen: how well each point is seen, 0 or more.
        fallback: for people of whom next to nothing is seen.
        likenesses: of :func:`likeness`.
    """
    each = colors.shape[-2] // len(likenesses)
    weight = seen.unflatten(-1, (-1, each)).sum(dim=-1)
    mean = colors.unflatten(-2, (-1, each)).sum(dim=-2) / weight[..., None].clamp(min=1e-6)
    known = (weight / each).clamp(max=1.0)[..., None]
    told = likenesses @ torch.cat([mean * known, known], dim=-1)
    found = told[..., :3] / told[..., 3:].clamp(min=1e-9)
    trust = told[..., 3:] / (told[..., 3:] + _weight(told.new_tensor(_REACH**2)))
    return torch.lerp(fallback, found.repeat_interleave(each, dim=-2), trust.repeat_interleave(each, dim=-2))
