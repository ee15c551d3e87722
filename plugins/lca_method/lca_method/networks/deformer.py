"""Linear blend skinning of Gaussians with the template's fixed weights (eq. 13 of the paper)."""

import torch

from lca_shared.gaussians import Gaussians
from lca_shared.rotations import matrix_to_quaternion, quaternion_product
from lca_shared.tensors import Float, Tensor


def skinned(
    gaussians: Gaussians,
    weights: Float[Tensor, "gaussians joints"],
    posed_from_rest: Float[Tensor, "*b joints 3 4"],
) -> Gaussians:
    """Gaussians carried from the rest pose into the world.

    Centres go through the blended transform. Orientations are turned by the rotation nearest to it in the sense of
    Gram-Schmidt on its columns; scales stay, so that bending never makes a Gaussian thinner.

    Args:
        gaussians: rest pose; batch axes broadcast against those of ``posed_from_rest``.
        weights: skinning weights, rows sum to 1.
        posed_from_rest: rigid transforms of the joints, without the last row.
    """
    blended = (weights @ posed_from_rest.flatten(-2)).unflatten(-1, (3, 4))
    matrix, translation = blended[..., :3], blended[..., 3]
    means = (matrix @ gaussians.means[..., None])[..., 0] + translation
    turn = matrix_to_quaternion(_orthonormal(matrix))
    batch = means.shape[:-2]
    return Gaussians(
        means=means,
        quaternions=quaternion_product(turn, gaussians.quaternions.expand(*batch, -1, -1)),
        scales=gaussians.scales.expand(*batch, -1, -1),
        opacities=gaussians.opacities.expand(*batch, -1),
        colors=gaussians.colors.expand(*batch, -1, -1),
    )


def _orthonormal(matrix: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
    """Gram-Schmidt on the columns."""
    first = torch.nn.functional.normalize(matrix[..., 0], dim=-1)
    second = matrix[..., 1] - (first * matrix[..., 1]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)
