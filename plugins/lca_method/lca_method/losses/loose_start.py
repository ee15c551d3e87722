"""A pull that opens gates where cloth stands off the legs, while training is young (our choice).

Shapes and colours of a model without nodes fit the template's skinning: at first every correction makes pictures worse,
and gates that start shut would stay shut. The pull brings them over that ridge and ends; what stays open is for the
pictures and the sparsity to say.
"""

from lca_method.networks.node_skinning import NodeSkinning, of_followers
from lca_shared.tensors import Bool, Float, Tensor

NEAR, FAR = 0.03, 0.05
"""Metres off the body, mean of a node's Gaussians (trousers: below 2 cm): a node nearer than the first is held shut,
one farther than the second is pulled open."""
FEW = 0.05
"""Share of all nodes; most lie on trunk, arms, face and hands."""
_ON_LEGS = 0.1
"""A node with less of the template's weights on legs is held shut: hair stands off too, and follows the head."""


def loose_start(
    nodes: NodeSkinning, offsets: Float[Tensor, "*b gaussians 3"], legs: Bool[Tensor, "joints"] | None = None
) -> Float[Tensor, "*b"]:
    """How far the gates of nodes that stand off the legs are from open, their mean (0 to 1, less for people of whom
    less than :data:`FEW` of the nodes stand off), and how far the others are from shut, theirs: one network opens all.

    Args:
        nodes: of people.
        offsets: of their Gaussians from the body's points, metres; without gradients from here.
        legs: which joints are those of legs; None = all.
    """
    apart = of_followers(offsets.detach().norm(dim=-1, keepdim=True), nodes.graph)[..., 0]
    off = ((apart - NEAR) / (FAR - NEAR)).clamp(0, 1)
    if legs is not None:
        off = off * (nodes.template[..., legs].sum(dim=-1) > _ON_LEGS)
    gates, loose = nodes.gates, off.mean(dim=-1)
    pulled = (off * (1 - gates)).mean(dim=-1) / loose.clamp(min=FEW)
    return pulled + ((1 - off) * gates).mean(dim=-1) / (1 - loose).clamp(min=FEW)


def remaining(step: int, until: int) -> float:
    """What is left of the pull's weight: falls from 1 to 0 over ``until`` training steps."""
    return max(0.0, 1 - step / until) if until else 0.0
