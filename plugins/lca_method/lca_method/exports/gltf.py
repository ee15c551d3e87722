"""glTF: the person's body as a mesh with skeleton, skinning weights, 52 blendshapes and, from a motion, an animation.

The body is the parametric one that was fitted; what the avatar looks like is in the splats, written beside it at rest
in the same axes. glTF is Y up and faces +Z.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lca_method.avatar.motion import Motion
from lca_method.exports.axes import axes_from_world
from lca_method.exports.gltf_buffer import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, Buffer
from lca_method.exports.registry import Export
from lca_method.exports.splats import write_ply_file
from lca_shared.body import get_body_model
from lca_shared.body.anchors import face_normals
from lca_shared.body.compact_body import CompactBody, gaze_to_matrix
from lca_shared.body.model import ShapedBody
from lca_shared.errors import UserError
from lca_shared.rotations import matrix_to_quaternion, rotation_vector_to_matrix
from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Tensor

_PER_SET = 4
"""Influences in one pair of JOINTS_n and WEIGHTS_n."""


def write_glb(export: Export) -> list[Path]:
    """``NAME.glb``, and ``NAME.ply`` with the splats at rest in the same axes.

    Raises:
        UserError: the body model is not this release's, or a file cannot be written.
    """
    avatar = export.loaded.avatar
    body = get_body_model(avatar.body.name)
    if len(body.shape_names) != len(avatar.shape) or body.joint_names != avatar.body.joint_names:
        raise UserError(f"{export.loaded.path} was made with another body model than this release's {body.name!r}.")
    data = glb_bytes(body, avatar.shape.cpu(), export.motion, export.loaded.record.name)
    with atomic_path(export.path) as temporary:
        temporary.write_bytes(data)
    splats = replace(export, path=export.path.with_suffix(".ply"), motion=None)
    return [export.path, *write_ply_file(splats)]


def glb_bytes(body: CompactBody, shape: Float[Tensor, "coefficients"], motion: Motion | None, name: str) -> bytes:
    """The file.

    Node ``i`` is joint ``i`` of ``body.joint_names``; the mesh's node comes after them. A vertex at a seam of the
    texture appears once for each of its places there.
    """
    axes, buffer = axes_from_world("y-up"), Buffer()
    rest = body.shaped(shape)
    joints = rest.joints @ axes.mT
    mesh = _mesh(body, rest, axes, buffer)
    bind = torch.eye(4).repeat(len(joints), 1, 1)
    bind[:, :3, 3] = -joints
    nodes = [*_joint_nodes(body, joints), {"name": "body", "mesh": 0, "skin": 0}]
    skin = {
        "joints": list(range(len(joints))),
        "skeleton": 0,
        "inverseBindMatrices": buffer.add(bind.numpy()),
    }
    content: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "lca export"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(joints)]}],
        "nodes": nodes,
        "meshes": [mesh],
        "skins": [skin],
        "materials": [{"name": name, "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8}}],
    }
    if motion is not None:
        content["animations"] = [_animation(body, motion, joints, axes, buffer)]
    return buffer.glb(content)


def _mesh(body: CompactBody, rest: ShapedBody, axes: Tensor, buffer: Buffer) -> dict[str, Any]:
    corners = torch.stack([body.faces.flatten(), body.face_texture_coordinates.flatten()], dim=1)
    pairs, places = corners.unique(dim=0, return_inverse=True)
    vertex = pairs[:, 0]
    texture = body.texture_coordinates[pairs[:, 1]].clone()
    texture[:, 1] = 1 - texture[:, 1]  # glTF's v points down
    attributes = {
        "POSITION": buffer.add((rest.vertices @ axes.mT)[vertex].numpy(), ARRAY_BUFFER, bounds=True),
        "NORMAL": buffer.add((_vertex_normals(body, rest) @ axes.mT)[vertex].numpy(), ARRAY_BUFFER),
        "TEXCOORD_0": buffer.add(texture.numpy(), ARRAY_BUFFER),
    }
    for number, (joints, weights) in enumerate(_influences(body.skinning_weights)):
        attributes[f"JOINTS_{number}"] = buffer.add(joints[vertex.numpy()], ARRAY_BUFFER)
        attributes[f"WEIGHTS_{number}"] = buffer.add(weights[vertex.numpy()], ARRAY_BUFFER)
    moving = torch.full((len(body.template_vertices),), -1)
    moving[body.expression_index] = torch.arange(len(body.expression_index))
    rows = torch.nonzero(moving[vertex] >= 0)[:, 0]
    targets = []
    for displacement in body.expression_vertices @ axes.mT:
        values = displacement[moving[vertex[rows]]]
        moved = (values != 0).any(dim=1)
        targets.append({"POSITION": buffer.add_sparse(values[moved].numpy(), rows[moved].numpy(), len(vertex))})
    primitive = {
        "attributes": attributes,
        "indices": buffer.add(places.numpy().astype(np.uint32), ELEMENT_ARRAY_BUFFER),
        "material": 0,
        "targets": targets,
    }
    return {
        "name": "body",
        "primitives": [primitive],
        "weights": [0.0] * len(targets),
        "extras": {"targetNames": list(body.expression_names)},
    }


def _influences(weights: Float[Tensor, "vertices joints"]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Joints and weights in sets of four, the heaviest first; joints without weight are 0."""
    most = int((weights > 0).sum(dim=1).max())
    sets = -(-most // _PER_SET)
    values, joints = weights.topk(sets * _PER_SET, dim=1)
    values = values / values.sum(dim=1, keepdim=True)
    joints = torch.where(values > 0, joints, 0)
    kind = np.uint8 if weights.shape[1] <= 256 else np.uint16
    return [
        (joints[:, part : part + _PER_SET].numpy().astype(kind), values[:, part : part + _PER_SET].numpy())
        for part in range(0, sets * _PER_SET, _PER_SET)
    ]


def _joint_nodes(body: CompactBody, joints: Float[Tensor, "joints 3"]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for index, (name, parent) in enumerate(zip(body.joint_names, body.joint_parents)):
        place = joints[index] if parent < 0 else joints[index] - joints[parent]
        nodes.append({"name": name, "translation": [float(value) for value in place]})
        if parent >= 0:
            nodes[parent].setdefault("children", []).append(index)
    return nodes


def _animation(body: CompactBody, motion: Motion, joints: Tensor, axes: Tensor, buffer: Buffer) -> dict[str, Any]:
    pose = motion.signal.pose
    times = buffer.add((motion.times - motion.times[0]).float().numpy(), bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def animate(node: int, path: str, values: np.ndarray) -> None:
        samplers.append({"input": times, "output": buffer.add(values), "interpolation": "LINEAR"})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    def turn(joint: int, rotation: Float[Tensor, "frames 3 3"]) -> None:
        quaternion = matrix_to_quaternion(axes @ rotation @ axes.mT)
        animate(joint, "rotation", _smooth(quaternion)[:, [1, 2, 3, 0]].contiguous().numpy())  # glTF's are xyzw

    turn(0, rotation_vector_to_matrix(pose.root_rotation))
    animate(0, "translation", (joints[0] + pose.root_translation @ axes.mT).numpy())
    for number, name in enumerate(body.driven_joints):
        turn(body.joint_names.index(name), rotation_vector_to_matrix(pose.joint_rotations[:, number]))
    for number, name in enumerate(body.eye_joints):
        turn(body.joint_names.index(name), gaze_to_matrix(pose.gaze[:, number]))
    animate(len(joints), "weights", motion.signal.expression.flatten().numpy())
    return {"name": "motion", "samplers": samplers, "channels": channels}


def _smooth(quaternions: Float[Tensor, "frames 4"]) -> Float[Tensor, "frames 4"]:
    """Of the two signs of a rotation the one nearer to the frame before, for readers that blend numbers."""
    flips = (quaternions[1:] * quaternions[:-1]).sum(dim=1).sign()
    flips[flips == 0] = 1
    signs = torch.cat([flips.new_ones(1), flips]).cumprod(dim=0)
    return quaternions * signs[:, None]


def _vertex_normals(body: CompactBody, rest: ShapedBody) -> Float[Tensor, "vertices 3"]:
    normals, areas = face_normals(rest.vertices, body.faces)
    summed = torch.zeros_like(rest.vertices)
    for corner in range(3):
        summed.index_add_(0, body.faces[:, corner], normals * areas[:, None])
    up = summed.new_tensor([0.0, 0.0, 1.0]).expand_as(summed)
    length = summed.norm(dim=-1, keepdim=True)
    return torch.where(length > 1e-12, summed / length.clamp(min=1e-12), up)  # vertices that no face uses
