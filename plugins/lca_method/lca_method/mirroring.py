"""The mirrored world: what a body's pose, gaze and expression, and a camera, are in a picture that is flipped.

The world is mirrored at the plane x = 0, in which a body's template is symmetric.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lca_method.batch import DrivingSignal
from lca_shared.body.model import BodyModel, BodyPose
from lca_shared.cameras import Cameras
from lca_shared.tensors import Float, Tensor

_SIDES = ((".L", ".R"), ("Left", "Right"))


@dataclass(frozen=True)
class BodyMirror:
    """Which joints and expressions change places."""

    joints: tuple[int, ...]
    """Index of each driven joint's counterpart; its own if it is in the middle."""
    expressions: tuple[int, ...]
    """Of each expression coefficient's."""

    @staticmethod
    def of(body: BodyModel) -> "BodyMirror":
        """The mirror of a body model, by its names.

        Raises:
            ValueError: a name that says left or right has no counterpart.
        """
        return BodyMirror(counterparts(body.driven_joints), counterparts(body.expression_names))

    def pose(self, pose: BodyPose) -> BodyPose:
        """The mirrored body's pose."""
        gaze = pose.gaze.flip(-2) * pose.gaze.new_tensor([-1.0, 1.0])
        translation = pose.root_translation * pose.root_translation.new_tensor([-1.0, 1.0, 1.0])
        joints = _mirrored_rotations(pose.joint_rotations[..., list(self.joints), :])
        return BodyPose(joints, _mirrored_rotations(pose.root_rotation), translation, gaze)

    def driving(self, driving: DrivingSignal) -> DrivingSignal:
        """The mirrored body's driving signal.

        Raises:
            ValueError: it holds a learned expression code, which can only be read again from the flipped picture.
        """
        if driving.code is not None:
            raise ValueError("a learned expression code cannot be mirrored: read it from the mirrored face")
        seen = driving.joint_confidence
        return replace(
            driving,
            pose=self.pose(driving.pose),
            expression=driving.expression[..., list(self.expressions)],
            joint_confidence=None if seen is None else seen[..., list(self.joints)],
        )


def counterparts(names: Sequence[str]) -> tuple[int, ...]:
    """Index of each name's counterpart on the other side.

    Raises:
        ValueError: a name that says left or right has none.
    """
    found = []
    for name in names:
        other = name
        for left, right in _SIDES:
            if name.endswith(left):
                other = name.removesuffix(left) + right
            elif name.endswith(right):
                other = name.removesuffix(right) + left
        if other not in names:
            raise ValueError(f"{name} has no counterpart {other}")
        found.append(list(names).index(other))
    return tuple(found)


def mirrored_cameras(cameras: Cameras) -> Cameras:
    """The cameras that see of the mirrored world the mirrored picture."""
    sign = torch.tensor([-1.0, 1.0, 1.0, 1.0]).to(cameras.camera_from_world)
    flip = torch.tensor([[-1.0, 0.0, cameras.width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).to(cameras.intrinsics)
    return replace(
        cameras,
        camera_from_world=sign[:, None] * cameras.camera_from_world * sign,
        intrinsics=flip @ cameras.intrinsics * sign[:3],
    )


def _mirrored_rotations(vectors: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """A rotation's axis is an axial vector: what lies in the mirror's plane turns round."""
    return vectors * vectors.new_tensor([1.0, -1.0, -1.0])
