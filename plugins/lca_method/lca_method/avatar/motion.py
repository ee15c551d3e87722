"""A motion: driving signals over time, read at any time between the recorded ones."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch

from lca_method.batch import DrivingSignal
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Motion:
    """Frames of one body in time."""

    signal: DrivingSignal
    """``[frames]``"""
    times: Float[Tensor, "frames"]
    """Seconds, increasing."""
    joints: tuple[str, ...]
    """Names of ``signal.pose.joint_rotations``."""
    expressions: tuple[str, ...]
    """Names of ``signal.expression``."""
    leg_length: float | None = None
    """Of the body that moved, metres from the root down to the ankles; None = unknown. See :func:`leg_length`."""
    cameras: Cameras | None = None
    """What filmed each frame, if pictures did and all have one size."""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return float(self.times[-1] - self.times[0])

    @property
    def rate(self) -> float:
        """Frames a second as recorded (the median), 30 of a single frame."""
        return float(1.0 / self.times.diff().median().clamp(min=1e-4)) if len(self) > 1 else 30.0

    def at(self, times: Float[Tensor, "wanted"]) -> "Motion":
        """The motion at other times, interpolated between neighbours (rotations along the shortest arc); before the
        first frame and after the last it stands still."""
        after = torch.searchsorted(self.times, times).clamp(1, max(len(self) - 1, 1)).clamp(max=len(self) - 1)
        before = (after - 1).clamp(min=0)
        step = (self.times[after] - self.times[before]).clamp(min=1e-9)
        share = ((times - self.times[before]) / step).clamp(0, 1)

        def blended(values: Tensor) -> Tensor:
            weight = share.reshape(-1, *(1,) * (values.dim() - 1)).to(values)
            return values[before] + (values[after] - values[before]) * weight

        signal = self.signal
        pose = {f.name: blended(getattr(signal.pose, f.name)) for f in fields(BodyPose)}
        for name in ("joint_rotations", "root_rotation"):
            values = getattr(signal.pose, name)
            pose[name] = between(values[before], values[after], share.to(values))
        moved = DrivingSignal(
            BodyPose(**pose),
            blended(signal.expression),
            None if signal.joint_confidence is None else blended(signal.joint_confidence),
            None if signal.code is None else blended(signal.code),
        )
        cameras = self.cameras
        if cameras is not None:
            cameras = _cameras_between(cameras[before], cameras[after], share)
        return replace(self, signal=moved, times=times, cameras=cameras)

    def named(self, joints: Sequence[str], expressions: Sequence[str]) -> "Motion":
        """The motion for a rig with these joints and expressions: those it does not have stay at rest."""
        signal = self.signal
        rotations = _picked(signal.pose.joint_rotations, self.joints, joints, dim=1)
        confidence = signal.joint_confidence
        if confidence is None:
            confidence = signal.expression.new_ones(len(self), len(self.joints))
        signal = replace(
            signal,
            pose=replace(signal.pose, joint_rotations=rotations),
            expression=_picked(signal.expression, self.expressions, expressions, dim=1),
            joint_confidence=_picked(confidence, self.joints, joints, dim=1),
        )
        return replace(self, signal=signal, joints=tuple(joints), expressions=tuple(expressions))

    def walked(self, scale: float) -> "Motion":
        """From the origin: the root starts above it, and its way is ``scale`` times as long."""
        way = self.signal.pose.root_translation
        pose = replace(self.signal.pose, root_translation=(way - way[:1]) * scale)
        return replace(self, signal=replace(self.signal, pose=pose))

    def staying(self) -> "Motion":
        """The root keeps the place of the first frame."""
        place = self.signal.pose.root_translation[:1].expand(len(self), -1)
        return replace(self, signal=replace(self.signal, pose=replace(self.signal.pose, root_translation=place)))


def between(
    first: Float[Tensor, "frames *joints 3"], second: Float[Tensor, "frames *joints 3"], share: Float[Tensor, "frames"]
) -> Float[Tensor, "frames *joints 3"]:
    """Rotation vectors ``share`` (0..1) of the way from one rotation to another along the shortest arc."""
    start = rotation_vector_to_matrix(first)
    step = matrix_to_rotation_vector(start.mT @ rotation_vector_to_matrix(second))
    part = step * share.reshape(-1, *(1,) * (step.dim() - 1))
    return matrix_to_rotation_vector(start @ rotation_vector_to_matrix(part))


def _cameras_between(first: Cameras, second: Cameras, share: Float[Tensor, "frames"]) -> Cameras:
    """Cameras on the way: along a straight line, turning along the shortest arc."""
    weight = share.to(first.intrinsics)[:, None, None]
    turns = [matrix_to_rotation_vector(cameras.camera_from_world[:, :3, :3]) for cameras in (first, second)]
    rotation = rotation_vector_to_matrix(between(turns[0], turns[1], weight[:, 0, 0]))
    centers = first.world_centers() + (second.world_centers() - first.world_centers()) * weight[..., 0]
    matrices = first.camera_from_world.clone()
    matrices[:, :3, :3] = rotation
    matrices[:, :3, 3] = -(rotation @ centers[..., None])[..., 0]
    intrinsics = first.intrinsics + (second.intrinsics - first.intrinsics) * weight
    return replace(first, camera_from_world=matrices, intrinsics=intrinsics)


def leg_length(joint_names: Sequence[str], joints: Float[Tensor, "joints 3"]) -> float | None:
    """Height of the root above the ankles at rest, metres; None for rigs without ``foot.L`` and ``foot.R``."""
    feet = [index for index, name in enumerate(joint_names) if name in ("foot.L", "foot.R")]
    return float(joints[0, 2] - joints[feet, 2].mean()) if feet else None


def _picked(values: Tensor, have: Sequence[str], want: Sequence[str], dim: int) -> Tensor:
    size = list(values.shape)
    size[dim] = len(want)
    picked = values.new_zeros(size)
    common = [name for name in want if name in have]
    there = torch.tensor([want.index(name) for name in common], dtype=torch.long)
    here = torch.tensor([have.index(name) for name in common], dtype=torch.long)
    return picked.index_copy_(dim, there, values.index_select(dim, here))
