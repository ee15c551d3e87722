"""The body of one person, read at their Gaussians' points, as a bundle keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Float, Int, Tensor

KEPT_REGIONS = ("face", "head", "hands", "eyes", "mouth_interior")


@dataclass(frozen=True)
class RigInfo:
    """Names of a rig, as JSON keeps them."""

    name: str
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    driven_joints: tuple[str, ...]
    eye_joints: tuple[str, ...]
    expression_names: tuple[str, ...]

    @staticmethod
    def of(body: CompactBody) -> "RigInfo":
        """The rig of a body."""
        return RigInfo(
            body.name,
            body.joint_names,
            body.joint_parents,
            body.driven_joints,
            body.eye_joints,
            body.expression_names,
        )


def body_of_person(points: CompactBody, shape: Float[Tensor, "coefficients"], expressive: bool) -> CompactBody:
    """A body read at points, with a person's shape put into its template; it takes no shape coefficients.

    Args:
        points: as ``lca_shared.body.anchors.body_at`` makes it.
        shape: the person's coefficients.
        expressive: keep the template's expressions.
    """
    rest = points.shaped(shape)
    kept = slice(None) if expressive else slice(0)
    return replace(
        points,
        shape_names=(),
        template_vertices=rest.vertices,
        template_joints=rest.joints,
        shape_vertices=points.shape_vertices[:0],
        shape_joints=points.shape_joints[:0],
        expression_index=points.expression_index[kept],
        expression_vertices=points.expression_vertices[:, kept],
        expression_joints=points.expression_joints if expressive else torch.zeros_like(points.expression_joints),
        regions={name: points.regions[name] for name in KEPT_REGIONS if name in points.regions},
    )


def body_tensors(body: CompactBody) -> dict[str, Tensor]:
    """What :func:`body_from_tensors` needs beside the names; skinning weights without their zeros."""
    index, weights = _sparse_rows(body.skinning_weights)
    return {
        "points": body.template_vertices,
        "joints": body.template_joints,
        "skinning_index": index.to(torch.int16),
        "skinning_weights": weights,
        "expression_index": body.expression_index.to(torch.int32),
        "expression_points": body.expression_vertices,
        "expression_joints": body.expression_joints,
        **{f"region_{name}": mask for name, mask in body.regions.items()},
    }


def body_from_tensors(tensors: Mapping[str, Tensor], rig: RigInfo) -> CompactBody:
    """The inverse of :func:`body_tensors`.

    Raises:
        KeyError: a tensor is missing.
    """
    points, joints = tensors["points"], tensors["joints"]
    dense = points.new_zeros(len(points), len(joints))
    dense.scatter_add_(1, tensors["skinning_index"].long(), tensors["skinning_weights"])
    prefix = "region_"
    return CompactBody(
        name=rig.name,
        joint_names=tuple(rig.joint_names),
        joint_parents=tuple(rig.joint_parents),
        driven_joints=tuple(rig.driven_joints),
        eye_joints=_pair(rig.eye_joints),
        shape_names=(),
        expression_names=tuple(rig.expression_names),
        faces=torch.empty(0, 3, dtype=torch.long),
        template_vertices=points,
        template_joints=joints,
        skinning_weights=dense,
        regions={name.removeprefix(prefix): mask for name, mask in tensors.items() if name.startswith(prefix)},
        shape_vertices=points.new_zeros(0, len(points), 3),
        shape_joints=points.new_zeros(0, len(joints), 3),
        expression_index=tensors["expression_index"].long(),
        expression_vertices=tensors["expression_points"],
        expression_joints=tensors["expression_joints"],
        texture_coordinates=points.new_zeros(0, 2),
        face_texture_coordinates=torch.empty(0, 3, dtype=torch.long),
    )


def _sparse_rows(
    dense: Float[Tensor, "rows columns"],
) -> tuple[Int[Tensor, "rows most"], Float[Tensor, "rows most"]]:
    """Columns and values of each row's entries that are not zero, filled up with zeros."""
    most = int((dense != 0).sum(dim=1).max()) if len(dense) else 0
    values, index = dense.topk(most, dim=1)
    return index, values


def _pair(names: Sequence[str]) -> tuple[str, str]:
    left, right = names
    return left, right
