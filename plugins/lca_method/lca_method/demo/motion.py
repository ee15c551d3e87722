"""Smooth motion from a few recorded frames."""

from dataclasses import fields

import torch

from lca_method.batch import DrivingSignal
from lca_shared.body.model import BodyPose
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor


def resampled(driving: DrivingSignal, count: int, stay: bool) -> DrivingSignal:
    """``count`` frames spread evenly over a recording ``[frames]``, interpolated between neighbours.

    Rotations go along the shortest arc. With ``stay`` the root keeps the first frame's place.
    """
    frames = driving.expression.shape[0]
    place = torch.linspace(0, frames - 1, count)
    before = place.floor().long().clamp(max=max(frames - 2, 0))
    after = (before + 1).clamp(max=frames - 1)
    share = place - before

    def blended(values: Tensor) -> Tensor:
        weight = share.reshape(-1, *(1,) * (values.dim() - 1))
        return values[before] * (1 - weight) + values[after] * weight

    pose = {f.name: blended(getattr(driving.pose, f.name)) for f in fields(BodyPose)}
    for name in ("joint_rotations", "root_rotation"):
        values = getattr(driving.pose, name)
        pose[name] = between(values[before], values[after], share)
    if stay:
        pose["root_translation"] = driving.pose.root_translation[:1].expand(count, -1)
    confidence = driving.joint_confidence
    return DrivingSignal(
        BodyPose(**pose), blended(driving.expression), None if confidence is None else blended(confidence)
    )


def between(
    first: Float[Tensor, "frames *joints 3"], second: Float[Tensor, "frames *joints 3"], share: Float[Tensor, "frames"]
) -> Float[Tensor, "frames *joints 3"]:
    """Rotation vectors ``share`` (0..1) of the way from one rotation to another along the shortest arc."""
    start = rotation_vector_to_matrix(first)
    step = matrix_to_rotation_vector(start.mT @ rotation_vector_to_matrix(second))
    part = step * share.reshape(-1, *(1,) * (step.dim() - 1))
    return matrix_to_rotation_vector(start @ rotation_vector_to_matrix(part))
