"""A body model held as plain tensors, linear in shape and expression, skinned over the joints that move."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch

from lca_shared.body.kinematics import ActiveRig, active_rig, forward_kinematics
from lca_shared.body.model import BodyPose, PosedBody, ShapedBody
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class CompactBody:
    """Implements :class:`lca_shared.body.BodyModel`.

    Shape and expression are sums of displacements, so every stage is differentiable and batched. Shape, expression,
    joints and pose may have different leading axes that broadcast: one shape with 300 poses costs one shape.
    """

    name: str
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    driven_joints: tuple[str, ...]
    eye_joints: tuple[str, str]
    """Left and right."""
    shape_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    faces: Int[Tensor, "faces 3"]
    template_vertices: Float[Tensor, "vertices 3"]
    template_joints: Float[Tensor, "joints 3"]
    skinning_weights: Float[Tensor, "vertices joints"]
    regions: Mapping[str, Bool[Tensor, "vertices"]]
    shape_vertices: Float[Tensor, "coefficients vertices 3"]
    """Displacement per unit of each shape coefficient, metres."""
    shape_joints: Float[Tensor, "coefficients joints 3"]
    expression_index: Int[Tensor, "moving"]
    """Vertices that any expression moves."""
    expression_vertices: Float[Tensor, "expressions moving 3"]
    expression_joints: Float[Tensor, "expressions joints 3"]
    texture_coordinates: Float[Tensor, "corners 2"]
    """u to the right, v upwards, 0..1."""
    face_texture_coordinates: Int[Tensor, "faces 3"]
    """Index into ``texture_coordinates`` per corner of each face."""

    @cached_property
    def active(self) -> ActiveRig:
        """The joints that move: root, driven joints, eyes."""
        names = (*self.driven_joints, *self.eye_joints)
        rig = active_rig(self.joint_parents, [self.joint_names.index(name) for name in names])
        return rig.to(self.template_vertices.device)

    @cached_property
    def active_weights(self) -> Float[Tensor, "vertices active"]:
        """Skinning weights summed over the joints that move together."""
        merged = self.skinning_weights.new_zeros(len(self.skinning_weights), len(self.active.joints))
        return merged.index_add_(1, self.active.of_joint, self.skinning_weights)

    @cached_property
    def _active_slots(self) -> tuple[Int[Tensor, "driven"], Int[Tensor, "2"]]:
        """Where driven joints and eyes stand among the active joints."""
        order = [self.joint_names[i] for i in self.active.joints.tolist()]
        device = self.template_vertices.device
        return (
            torch.tensor([order.index(name) for name in self.driven_joints], device=device),
            torch.tensor([order.index(name) for name in self.eye_joints], device=device),
        )

    def shaped(
        self,
        shape: Float[Tensor, "*#batch coefficients"],
        expression: Float[Tensor, "*#batch expressions"] | None = None,
    ) -> ShapedBody:
        """The rest pose of a person, with an expression if one is given."""
        joints = self.shaped_joints(shape, expression)
        vertices = self.template_vertices + _combine(shape, self.shape_vertices)
        if expression is not None:
            vertices = self.with_expression(vertices.expand(*joints.shape[:-2], -1, -1), expression)
        return ShapedBody(vertices, joints)

    def shaped_joints(
        self,
        shape: Float[Tensor, "*#batch coefficients"],
        expression: Float[Tensor, "*#batch expressions"] | None = None,
    ) -> Float[Tensor, "*batch joints 3"]:
        """The joints of :meth:`shaped` alone, metres."""
        joints = self.template_joints + _combine(shape, self.shape_joints)
        return joints if expression is None else joints + _combine(expression, self.expression_joints)

    def with_expression(
        self, vertices: Float[Tensor, "*batch vertices 3"], expression: Float[Tensor, "*#batch expressions"]
    ) -> Float[Tensor, "*batch vertices 3"]:
        """Rest vertices, or what stands off them, moved by an expression; metres."""
        moved = _combine(expression, self.expression_vertices)
        return vertices.index_add(-2, self.expression_index, moved.expand(*vertices.shape[:-2], -1, -1))

    def active_transforms(
        self, joints: Float[Tensor, "*#batch joints 3"], pose: BodyPose
    ) -> Float[Tensor, "*batch active 3 4"]:
        """Rigid transforms of the joints that move, from rest to world."""
        batch = pose.root_rotation.shape[:-1]
        driven, eyes = self._active_slots
        like = pose.root_rotation
        local = torch.zeros(*batch, len(self.active.joints), 3, 3, dtype=like.dtype, device=like.device)
        local = local.index_copy(-3, driven, rotation_vector_to_matrix(pose.joint_rotations))
        local = local.index_copy(-3, eyes, gaze_to_matrix(pose.gaze))
        local = local.index_copy(-3, driven.new_zeros(1), rotation_vector_to_matrix(pose.root_rotation[..., None, :]))
        return forward_kinematics(self.active, joints[..., self.active.joints, :], local, pose.root_translation)

    def posed(self, joints: Float[Tensor, "*#batch joints 3"], pose: BodyPose) -> PosedBody:
        """Forward kinematics from rest joint positions, for every joint of the rig."""
        active = self.active_transforms(joints, pose)
        transforms = active[..., self.active.of_joint, :, :]
        positions = (transforms[..., :3] @ joints[..., None])[..., 0] + transforms[..., 3]
        bottom = transforms.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*transforms.shape[:-2], 1, 4)
        return PosedBody(torch.cat([transforms, bottom], dim=-2), positions)

    def skinned(self, shaped: ShapedBody, pose: BodyPose) -> Float[Tensor, "*batch vertices 3"]:
        """Posed vertices, metres, world. ``shaped`` and ``pose`` broadcast."""
        transforms = self.active_transforms(shaped.joints, pose)
        blended = (self.active_weights @ transforms.flatten(-2)).unflatten(-1, (3, 4))
        return (blended[..., :3] * shaped.vertices[..., None, :]).sum(-1) + blended[..., 3]

    def subset(self, vertex_indices: Int[Tensor, "kept"]) -> "CompactBody":
        """The same body with only these vertices, in this order: what fitting needs is a few hundred of them.

        Faces with all corners kept remain. Joints, names and coefficients stay as they are.
        """
        vertex_indices = vertex_indices.to(self.template_vertices.device)
        position = torch.full((len(self.template_vertices),), -1, device=vertex_indices.device)
        position[vertex_indices] = torch.arange(len(vertex_indices), device=vertex_indices.device)
        moving_row = torch.full_like(position, -1)
        moving_row[self.expression_index] = torch.arange(len(self.expression_index), device=vertex_indices.device)
        kept_rows = moving_row[vertex_indices]
        faces = position[self.faces]
        whole = (faces >= 0).all(dim=1)
        return replace(
            self,
            faces=faces[whole],
            template_vertices=self.template_vertices[vertex_indices],
            skinning_weights=self.skinning_weights[vertex_indices],
            regions={name: mask[vertex_indices] for name, mask in self.regions.items()},
            shape_vertices=self.shape_vertices[:, vertex_indices],
            expression_index=torch.nonzero(kept_rows >= 0)[:, 0],
            expression_vertices=self.expression_vertices[:, kept_rows[kept_rows >= 0]],
            face_texture_coordinates=self.face_texture_coordinates[whole],
        )

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "CompactBody":
        """The same body on another device or in another floating precision."""
        return replace(self, **{f.name: _moved(getattr(self, f.name), device, dtype) for f in fields(self)})


def gaze_to_matrix(gaze: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation of an eye that looks along -Y at rest: pitch (> 0 upwards), then yaw (> 0 towards +X), radians."""
    zero = torch.zeros_like(gaze[..., 0])
    yaw = rotation_vector_to_matrix(torch.stack([zero, zero, gaze[..., 0]], dim=-1))
    pitch = rotation_vector_to_matrix(torch.stack([-gaze[..., 1], zero, zero], dim=-1))
    return yaw @ pitch


def _combine(
    coefficients: Float[Tensor, "*batch coefficients"], displacements: Float[Tensor, "coefficients points 3"]
) -> Float[Tensor, "*batch points 3"]:
    return (coefficients @ displacements.flatten(1)).unflatten(-1, (-1, 3))


def _moved(value: Any, device: torch.device | str | None, dtype: torch.dtype | None) -> Any:
    if isinstance(value, Tensor):
        return value.to(device=device, dtype=dtype if value.is_floating_point() else None)
    if isinstance(value, Mapping):
        return {name: _moved(item, device, dtype) for name, item in value.items()}
    return value
