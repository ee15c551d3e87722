"""Linear blend skinning of points and of Gaussians' orientations: pure, batched over any leading axes.

Weights and transforms broadcast, so that one set of weights serves every pose of a batch, or each element has its own.
Transforms have four rows, or three without the last (``CompactBody.active_transforms``).
"""

from lca_shared.rotations import matrix_to_quaternion, nearest_rotation, quaternion_product
from lca_shared.tensors import Float, Tensor


def blend_transforms(
    weights: Float[Tensor, "*#batch points joints"], posed_from_rest: Float[Tensor, "*#batch joints rows 4"]
) -> Float[Tensor, "*batch points 3 4"]:
    """Each point's affine transform: the average of the joints' transforms under its weights (rows add up to one)."""
    return (weights @ posed_from_rest[..., :3, :].flatten(-2)).unflatten(-1, (3, 4))


def apply_blended(
    blended: Float[Tensor, "*#batch points 3 4"], points: Float[Tensor, "*#batch points 3"]
) -> Float[Tensor, "*batch points 3"]:
    """Move points by their own affine transforms."""
    return (blended[..., :3] * points[..., None, :]).sum(dim=-1) + blended[..., 3]


def skin_points(
    points: Float[Tensor, "*#batch points 3"],
    weights: Float[Tensor, "*#batch points joints"],
    posed_from_rest: Float[Tensor, "*#batch joints rows 4"],
) -> Float[Tensor, "*batch points 3"]:
    """Linear blend skinning: rest points into the pose."""
    return apply_blended(blend_transforms(weights, posed_from_rest), points)


def blended_rotations(blended: Float[Tensor, "*batch points 3 4"]) -> Float[Tensor, "*batch points 3 3"]:
    """The rotation nearest to the linear part of each blended transform (its polar factor)."""
    return nearest_rotation(blended[..., :3])


def skin_quaternions(
    quaternions: Float[Tensor, "*#batch points 4"], blended: Float[Tensor, "*#batch points 3 4"]
) -> Float[Tensor, "*batch points 4"]:
    """Orientations (wxyz) of Gaussians turned by the rotations of their blended transforms."""
    return quaternion_product(matrix_to_quaternion(blended_rotations(blended)), quaternions)


def skin_gaussian_frames(
    means: Float[Tensor, "*#batch points 3"],
    quaternions: Float[Tensor, "*#batch points 4"],
    weights: Float[Tensor, "*#batch points joints"],
    posed_from_rest: Float[Tensor, "*#batch joints rows 4"],
) -> tuple[Float[Tensor, "*batch points 3"], Float[Tensor, "*batch points 4"]]:
    """Means and orientations of Gaussians in the pose; their scales stay as they are."""
    blended = blend_transforms(weights, posed_from_rest)
    return apply_blended(blended, means), skin_quaternions(quaternions, blended)
