"""Linear blend skinning of Gaussians (eq. 13 of the paper), with the template's fixed weights or corrected ones."""

from dataclasses import dataclass, replace

from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import matrix_to_quaternion, matrix_to_six_numbers, quaternion_product, six_numbers_to_matrix
from lca_shared.skinning import apply_blended
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class FrameOfBody:
    """How a person's points at rest are carried into one frame, or a batch of frames."""

    body: CompactBody
    """Read at the Gaussians' points."""
    transforms: Float[Tensor, "*b joints 3 4"]
    """Of the joints that move, from rest to world."""
    expression: Float[Tensor, "*b expressions"] | None
    """By how much the template's own expressions move the points; None = not at all."""
    weights: Float[Tensor, "*#b gaussians joints"] | None = None
    """Skinning weights of Gaussians that follow nodes (``NodeSkinning.followed``); None = the template's."""

    def carried(self, gaussians: Gaussians) -> Gaussians:
        """Gaussians of the rest pose in this frame, world; batch axes broadcast."""
        if self.expression is not None:
            gaussians = gaussians.expanded(self.expression.shape[:-1])
            gaussians = replace(gaussians, means=self.body.with_expression(gaussians.means, self.expression))
        weights = self.body.active_weights if self.weights is None else self.weights
        return skinned(gaussians, weights, self.transforms)


def frame_of_body(
    body: CompactBody,
    shape: Float[Tensor, "*#b coefficients"],
    pose: BodyPose,
    expression: Float[Tensor, "*b expressions"] | None,
    weights: Float[Tensor, "*#b gaussians joints"] | None = None,
) -> FrameOfBody:
    """Set a body up for a frame.

    Args:
        body: read at the Gaussians' points.
        shape: coefficients of the person.
        pose: batch shape ``[*b]``.
        expression, weights: see :class:`FrameOfBody`.
    """
    joints = body.shaped_joints(shape, expression)
    return FrameOfBody(body, body.active_transforms(joints, pose), expression, weights)


def skinned(
    gaussians: Gaussians,
    weights: Float[Tensor, "*#b gaussians joints"],
    posed_from_rest: Float[Tensor, "*b joints 3 4"],
) -> Gaussians:
    """Gaussians carried from the rest pose into the world.

    Centres go through the blended transform. Orientations are turned by its columns made orthonormal (Gram-Schmidt: a
    sixteenth of the time of the polar rotation in ``lca_shared.skinning``, and every frame pays it); scales stay, so
    that bending never makes a Gaussian thinner.

    Args:
        gaussians: rest pose; batch axes broadcast against those of ``posed_from_rest``.
        weights: skinning weights, rows sum to 1.
        posed_from_rest: rigid transforms of the joints, without the last row.
    """
    blended = (weights @ posed_from_rest.flatten(-2)).unflatten(-1, (3, 4))
    means = apply_blended(blended, gaussians.means)
    turn = matrix_to_quaternion(six_numbers_to_matrix(matrix_to_six_numbers(blended[..., :3])))
    batch = means.shape[:-2]
    return Gaussians(
        means=means,
        quaternions=quaternion_product(turn, gaussians.quaternions.expand(*batch, -1, -1)),
        scales=gaussians.scales.expand(*batch, -1, -1),
        opacities=gaussians.opacities.expand(*batch, -1),
        colors=gaussians.colors.expand(*batch, -1, -1),
    )
