"""The part of a rig that moves: driven joints, root and eyes; every other joint follows its parent rigidly.

Forward kinematics runs over this part alone, one product per level of depth.
"""

from dataclasses import dataclass

import numpy as np
import torch

from lca_shared.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class ActiveRig:
    """Active joints of a rig in the order of the rig, and how the others hang on them."""

    joints: Int[Tensor, "active"]
    """Index in the rig of each active joint; the root first."""
    parents: Int[Tensor, "active"]
    """Nearest active ancestor of each active joint, as an index into the active joints; the root's own index."""
    of_joint: Int[Tensor, "joints"]
    """For every joint of the rig the active joint that it moves with."""
    levels: tuple[Int[Tensor, "_"], ...]
    """Active joints by depth; ``levels[0]`` is the root."""

    def to(self, device: torch.device | str | None) -> "ActiveRig":
        """The same on another device."""
        return ActiveRig(
            self.joints.to(device),
            self.parents.to(device),
            self.of_joint.to(device),
            tuple(level.to(device) for level in self.levels),
        )


def active_rig(parents: tuple[int, ...], active: list[int]) -> ActiveRig:
    """Reduce a rig (parents before children, the root at 0) to its ``active`` joints."""
    order = sorted({0, *active})
    position = {joint: i for i, joint in enumerate(order)}
    of_joint: list[int] = []
    for joint, parent in enumerate(parents):
        of_joint.append(position[joint] if joint in position else of_joint[parent])
    active_parents = [0] + [of_joint[parents[joint]] for joint in order[1:]]
    depths = [0]
    for parent in active_parents[1:]:
        depths.append(depths[parent] + 1)
    levels = tuple(
        torch.tensor([i for i, depth in enumerate(depths) if depth == level]) for level in range(max(depths) + 1)
    )
    return ActiveRig(torch.tensor(order), torch.tensor(active_parents), torch.tensor(of_joint), levels)


def forward_kinematics(
    rig: ActiveRig,
    rest: Float[Tensor, "*#batch active 3"],
    rotations: Float[Tensor, "*#batch active 3 3"],
    root_translation: Float[Tensor, "*#batch 3"],
) -> Float[Tensor, "*batch active 3 4"]:
    """Rigid transforms that carry rest points of each active joint into the world.

    Args:
        rig: the active joints.
        rest: rest positions of the active joints, metres.
        rotations: each joint's own rotation about the world-parallel axes of the rest pose.
        root_translation: added to the root's rest position, metres.
    """
    # numpy's: torch.broadcast_shapes imports sympy, which takes about as long as torch itself
    batch = np.broadcast_shapes(rest.shape[:-2], rotations.shape[:-3], root_translation.shape[:-1])
    rest, rotations = rest.expand(*batch, -1, -1), rotations.expand(*batch, -1, -1, -1)
    offsets = rest - rest[..., rig.parents, :]
    # Level by level; a level's parents all lie in the level before it.
    turned = [rotations[..., :1, :, :]]
    placed = [rest[..., :1, :] + root_translation.expand(*batch, 3)[..., None, :]]
    for level, above in zip(rig.levels[1:], rig.levels[:-1], strict=True):
        parent = torch.searchsorted(above, rig.parents[level])
        parent_turned = turned[-1][..., parent, :, :]
        turned.append(parent_turned @ rotations[..., level, :, :])
        placed.append(placed[-1][..., parent, :] + (parent_turned @ offsets[..., level, :, None])[..., 0])
    back = torch.argsort(torch.cat(rig.levels))
    world_rotations = torch.cat(turned, dim=-3)[..., back, :, :]
    positions = torch.cat(placed, dim=-2)[..., back, :]
    shift = positions - (world_rotations @ rest[..., None])[..., 0]
    return torch.cat([world_rotations, shift[..., None]], dim=-1)
