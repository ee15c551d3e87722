"""Poses near rest, each joint with its own stiffness."""

from lca_dataparsers.processing.fitting.terms.context import TermContext
from lca_shared.tensors import Float, Tensor


def pose_prior(context: TermContext) -> Float[Tensor, ""]:
    """Squared rotation vectors in each joint's own frame (hinge, bone, across), weighed.

    A limb that was not seen is held ``FitConfig.frozen_prior`` times as stiff: it keeps the rest pose and is not
    invented.
    """
    limits = context.limits
    seen = context.targets.joint_seen
    stiffness = 1.0 + (1.0 - seen) * (context.config.frozen_prior - 1.0)
    angles = limits.in_joint_frames(context.prediction.state.rotations)
    return (stiffness[..., None] * limits.stiffness * angles.square()).sum((1, 2)).mean()
