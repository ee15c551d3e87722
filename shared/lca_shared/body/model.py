"""What a body model is: staged, pure, batched over any leading axes.

template -> with shape and expression (:class:`ShapedBody`) -> with pose (:class:`PosedBody`) -> skinned vertices.
World is Z up, the person faces -Y at rest, metres and radians.

**Pose convention.** A joint's rotation is a rotation vector about the *world-parallel* axes of the rest pose: in the
rest pose every joint's frame is the world's. Forward kinematics then needs only rest joint positions:
``R_j = R_parent exp(rotation_j)`` and ``p_j = p_parent + R_parent (rest_j - rest_parent)``. Only *driven* joints carry
a rotation; every other joint of the rig follows its parent rigidly. Eyes are driven by gaze, the root apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import torch

from lca_shared.tensors import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class BodyPose:
    """Where a body is and how it is bent: everything of a driving signal but the expression."""

    joint_rotations: Float[Tensor, "*batch driven 3"]
    """Rotation vectors of ``BodyModel.driven_joints``, radians, world-parallel rest axes."""
    root_rotation: Float[Tensor, "*batch 3"]
    """Rotation vector of the root joint, radians."""
    root_translation: Float[Tensor, "*batch 3"]
    """Added to the root joint's rest position: metres, world."""
    gaze: Float[Tensor, "*batch 2 2"]
    """(left eye, right eye) x (yaw, pitch), radians, relative to the head; yaw > 0 towards the person's left (+X at
    rest), pitch > 0 upwards."""

    def __getitem__(self, index: Any) -> "BodyPose":
        """Index the leading axes."""
        return BodyPose(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "BodyPose":
        """The same pose on another device or in another precision."""
        return BodyPose(**{f.name: getattr(self, f.name).to(device=device, dtype=dtype) for f in fields(self)})

    @staticmethod
    def rest(driven_joints: int, batch_shape: tuple[int, ...] = ()) -> "BodyPose":
        """The rest pose."""
        return BodyPose(
            torch.zeros(*batch_shape, driven_joints, 3),
            torch.zeros(*batch_shape, 3),
            torch.zeros(*batch_shape, 3),
            torch.zeros(*batch_shape, 2, 2),
        )


@dataclass(frozen=True)
class ShapedBody:
    """A person's rest pose: the template with shape and, if given, expression."""

    vertices: Float[Tensor, "*batch vertices 3"]
    """Rest vertices, metres."""
    joints: Float[Tensor, "*batch joints 3"]
    """Rest joint positions, metres."""


@dataclass(frozen=True)
class PosedBody:
    """A posed skeleton."""

    posed_from_rest: Float[Tensor, "*batch joints 4 4"]
    """Rigid transforms that carry rest points of each joint into the world; blend these to skin."""
    joints: Float[Tensor, "*batch joints 3"]
    """Posed joint positions, metres, world."""


@runtime_checkable
class BodyModel(Protocol):
    """A parametric body with a fixed template, skinning weights and named expression coefficients."""

    name: str
    joint_names: tuple[str, ...]
    """All joints of the rig; parents come before children; index 0 is the root."""
    joint_parents: tuple[int, ...]
    """Parent index per joint; -1 for the root."""
    driven_joints: tuple[str, ...]
    """Joints with a pose parameter, without the root and the eyes."""
    shape_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    """ARKit's 52 names."""
    faces: Int[Tensor, "faces 3"]
    template_vertices: Float[Tensor, "vertices 3"]
    template_joints: Float[Tensor, "joints 3"]
    skinning_weights: Float[Tensor, "vertices joints"]
    regions: Mapping[str, Bool[Tensor, "vertices"]]
    """Vertex masks: at least ``face``, ``head``, ``hands``, ``eyes``, ``mouth_interior``."""

    def shaped(
        self,
        shape: Float[Tensor, "*#batch coefficients"],
        expression: Float[Tensor, "*#batch expressions"] | None = None,
    ) -> ShapedBody:
        """The rest pose of a person, with an expression if one is given. Leading axes broadcast."""
        ...

    def posed(self, joints: Float[Tensor, "*#batch joints 3"], pose: BodyPose) -> PosedBody:
        """Forward kinematics from rest joint positions. Leading axes broadcast."""
        ...

    def skinned(self, shaped: ShapedBody, pose: BodyPose) -> Float[Tensor, "*batch vertices 3"]:
        """Posed vertices, metres, world. Leading axes broadcast."""
        ...
