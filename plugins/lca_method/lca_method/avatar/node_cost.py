"""What following the nodes of a loose garment costs in a frame."""

import copy

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.frame_timing import timed_frames

SIZE = 512
"""Side of the picture, pixels."""


def node_cost(avatar: Avatar, frames: int) -> str:
    """A line for ``lca bench``: skinning with the nodes and with the template's weights alone, and the share of a frame
    that is between them.

    Args:
        avatar: one that has nodes.
        frames: timed.
    """
    with_nodes, without = (timed_frames(each, SIZE, frames) for each in (avatar, without_nodes(avatar)))
    spent = with_nodes.parts["skinning"] - without.parts["skinning"]
    joints = [int((each.skinning_weights != 0).sum(dim=1).max()) for each in (avatar, without_nodes(avatar))]
    return (
        f"Loose garments: skinning takes {with_nodes.parts['skinning']:.2f} ms with nodes, "
        f"{without.parts['skinning']:.2f} ms without: {100 * spent / with_nodes.whole:.1f} % of a frame of {SIZE}² "
        f"({joints[0]} joints a Gaussian at most, {joints[1]} without)."
    )


def without_nodes(avatar: Avatar) -> Avatar:
    """The same avatar with the template's skinning weights; it shares all else."""
    other = copy.copy(avatar)
    other._buffers = dict(avatar._buffers) | {"followed_weights": None}
    other._nodes = None
    return other
