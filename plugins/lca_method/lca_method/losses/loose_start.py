"""A pull that opens gates where cloth stands off the body, while training is young (our choice).

Shapes and colours of a model without nodes fit the template's skinning: at first every correction makes pictures worse,
and gates that start shut would stay shut. The pull brings them over that ridge and ends; what stays open is for the
pictures and the sparsity to say.
"""

from lca_method.networks.node_skinning import NodeSkinning
from lca_shared.tensors import Float, Tensor

NEAR, FAR = 0.03, 0.07
"""Metres off the body: nothing is pulled that is nearer than the first, and all that is farther than the second."""

FEW = 0.05
"""Share of all Gaussians; most lie on face and hands."""


def loose_start(nodes: NodeSkinning, offsets: Float[Tensor, "*b gaussians 3"]) -> Float[Tensor, "*b"]:
    """How much of the template's skinning is left to the Gaussians that stand off, their mean (0 to 1, less for people
    of whom less than :data:`FEW` stand off), and how much the others have lost of it, theirs: one network opens all.

    Args:
        nodes: of people.
        offsets: of their Gaussians from the body's points, metres; without gradients from here.
    """
    off = ((offsets.detach().norm(dim=-1) - NEAR) / (FAR - NEAR)).clamp(0, 1)
    share, loose = nodes.share(), off.mean(dim=-1)
    pulled = (off * (1 - share)).mean(dim=-1) / loose.clamp(min=FEW)
    return pulled + ((1 - off) * share).mean(dim=-1) / (1 - loose).clamp(min=FEW)


def remaining(step: int, until: int) -> float:
    """What is left of the pull's weight: falls from 1 to 0 over ``until`` training steps."""
    return max(0.0, 1 - step / until) if until else 0.0
