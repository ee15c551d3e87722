"""As rigid as possible: the deformation that learned skinning weights induce keeps neighbouring nodes together (Section
3.4, eq. 15). The paper names the term; which form it has is our choice, so two can be chosen by name."""

import torch

from lca_method.losses.node_motion import NodeMotion
from lca_shared.tensors import Float, Tensor


def arap_turned(motion: NodeMotion) -> Float[Tensor, "*b"]:
    """Mean square of how far a node's neighbours are from where its own rotation would carry them, over the mean square
    of their distance at rest (Sorkine and Alexa 2007, eq. 3, with the node's blended rotation)."""
    rest, moved = motion.links()
    return _mean((moved - rest[..., None, :, :, :]).square().sum(-1), rest, motion)


def arap_lengths(motion: NodeMotion) -> Float[Tensor, "*b"]:
    """Mean square of how much the distance to a node's neighbours changes, over the mean square of it at rest: bending
    is free."""
    rest, moved = motion.links()
    lengths = [links.square().sum(-1).add(1e-12).sqrt() for links in (rest, moved)]
    return _mean((lengths[1] - lengths[0][..., None, :, :]).square(), rest, motion)


def _mean(errors: Float[Tensor, "*b targets nodes links"], rest: Tensor, motion: NodeMotion) -> Float[Tensor, "*b"]:
    scale = rest.square().sum(-1).mean(dim=(-2, -1)).clamp(min=1e-12)
    acting = motion.acting()[..., None, :, :]
    return torch.mean(errors * acting, dim=(-3, -2, -1)) / scale
