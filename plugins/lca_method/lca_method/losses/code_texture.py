"""Points of the face that look the same in all frames: how expressions are found without labels."""

from lca_shared.tensors import Float, Tensor

LEAST_SEEN = 200.0
"""Frames in which fewer points (weighted) are seen together with others are left out."""
_SHARED = 0.3
ACROSS_PEOPLE = 0.3
"""Weight of the likeness to other people's faces, against that to the person's own."""


def code_texture(
    textures: Float[Tensor, "*b targets points 3"], seen: Float[Tensor, "*b targets points"]
) -> Float[Tensor, ""]:
    """1 minus the correlation of each face's texture with the mean of the person's other frames, plus ``ACROSS_PEOPLE``
    times the same with the mean of the other people.

    A texture is what the picture shows at the points of the template, moved by the expression read from the code. It
    is the same in all frames if the expressions are right: lips are found at the lips' points. The first term knows
    expressions up to one that all frames of a person share, the second ties that one to where lips and lids are in
    general. Correlations, not distances: plain skin everywhere would be near to everything.

    Args:
        textures: local contrast (see ``networks.face_surface``); ``*b`` runs over people.
        seen: weight of each point, 0 = not seen.
    """
    textures, seen = textures.reshape(-1, *textures.shape[-3:]), seen.reshape(-1, *seen.shape[-2:])
    weighted = textures * seen[..., None]
    own, own_seen = weighted.sum(dim=1, keepdim=True), seen.sum(dim=1, keepdim=True)
    loss = _unlikeness(textures, seen, own - weighted, own_seen - seen)
    if len(textures) > 1:
        means = own / own_seen.clamp(min=_SHARED)[..., None]
        shown = (own_seen > _SHARED).to(seen)
        others, others_seen = (means * shown[..., None]).sum(dim=0) - means * shown[..., None], shown.sum(dim=0) - shown
        loss = loss + ACROSS_PEOPLE * _unlikeness(textures, seen, others, others_seen)
    return loss


def _unlikeness(textures: Tensor, seen: Tensor, total: Tensor, total_seen: Tensor) -> Tensor:
    other = total / total_seen.clamp(min=_SHARED)[..., None]
    shared = seen * (total_seen > _SHARED)
    product, first, second = (
        (shared * (x * y).sum(dim=-1)).sum(dim=-1) for x, y in ((textures, other), (textures, textures), (other, other))
    )
    cosine = product / (first * second).clamp(min=1e-6).sqrt()
    counts = (shared.sum(dim=-1) > LEAST_SEEN).to(seen)
    return ((1 - cosine) * counts).sum() / counts.sum().clamp(min=1)
