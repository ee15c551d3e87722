"""Turning Gaussians between the world's axes and those of other programs."""

from dataclasses import replace
from typing import Literal

import torch

from lca_shared.gaussians import Gaussians
from lca_shared.rotations import matrix_to_quaternion, quaternion_product
from lca_shared.tensors import Float, Tensor

Axes = Literal["z-up", "y-up", "y-down"]
"""z-up: ours, facing -Y. y-up: glTF's, facing +Z. y-down: that of most captured splat scenes, facing -Z."""

_ROTATIONS = {
    "z-up": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "y-up": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)),
    "y-down": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
}


def axes_from_world(axes: Axes) -> Float[Tensor, "3 3"]:
    """The rotation into other axes."""
    return torch.tensor(_ROTATIONS[axes])


def turned(gaussians: Gaussians, rotation: Float[Tensor, "3 3"]) -> Gaussians:
    """Gaussians seen in turned axes."""
    rotation = rotation.to(gaussians.means)
    turn = matrix_to_quaternion(rotation).expand_as(gaussians.quaternions)
    return replace(
        gaussians,
        means=gaussians.means @ rotation.mT,
        quaternions=quaternion_product(turn, gaussians.quaternions),
    )
