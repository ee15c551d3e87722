"""The compact template of Anny: a few megabytes that ship with the package, read from one safetensors file.

``scripts/make_anny_template.py`` makes the file from the `anny` package (Apache-2.0, its data CC0): the mean of random
adults, a joint basis of vertices and joints, head axes, ARKit's 52 expressions, sparse skinning weights, texture
coordinates, and Anny's own segmentation of faces. Large displacements are kept in half precision.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lca_shared.errors import UserError
from lca_shared.storage import atomic_path, check_schema
from lca_shared.tensors import Float, Int, Tensor, UInt8

KIND = "anny template"
SCHEMA_VERSION = 1
TEMPLATE_PATH = Path(__file__).parent / "data" / "anny_template.safetensors"
WEIGHT_SCALE = 32767
"""Skinning weights are stored as integers, 1 = this value: finer and smaller than half precision."""


@dataclass(frozen=True)
class AnnyTemplate:
    """The tensors and names of the template file."""

    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    shape_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    segment_names: tuple[str, ...]
    """Names of Anny's face segments."""
    vertices: Float[Tensor, "vertices 3"]
    joints: Float[Tensor, "joints 3"]
    shape_vertices: Float[Tensor, "coefficients vertices 3"]
    """Displacement per unit of each shape coefficient, metres."""
    shape_joints: Float[Tensor, "coefficients joints 3"]
    expression_index: Int[Tensor, "moving"]
    """Vertices that any expression moves."""
    expression_vertices: Float[Tensor, "expressions moving 3"]
    expression_joints: Float[Tensor, "expressions joints 3"]
    weight_joints: UInt8[Tensor, "vertices influences"]
    weight_values: Int[Tensor, "vertices influences"]
    """Skinning weights times :data:`WEIGHT_SCALE`; rows add up to it."""
    faces: Int[Tensor, "faces 3"]
    texture_coordinates: Float[Tensor, "corners 2"]
    """u to the right, v upwards, 0..1."""
    face_texture_coordinates: Int[Tensor, "faces 3"]
    """Index into ``texture_coordinates`` per corner of each face."""
    face_segments: UInt8[Tensor, "faces"]
    """Index into ``segment_names`` per face."""

    def dense_weights(self) -> Float[Tensor, "vertices joints"]:
        """Skinning weights of every vertex for every joint; rows add up to one."""
        dense = torch.zeros(len(self.vertices), len(self.joint_names))
        values = self.weight_values.float() / WEIGHT_SCALE
        dense.scatter_add_(1, self.weight_joints.long(), values)
        return dense / dense.sum(dim=1, keepdim=True)


_NAME_FIELDS = ("joint_names", "joint_parents", "shape_names", "expression_names", "segment_names")


def save_template(template: AnnyTemplate, path: Path, **provenance: Any) -> None:
    """Write the template with its names and ``provenance`` in the file's header."""
    header = {"kind_of_file": KIND, "schema_version": SCHEMA_VERSION, **provenance}
    header |= {name: getattr(template, name) for name in _NAME_FIELDS}
    tensors = {f.name: getattr(template, f.name).contiguous() for f in fields(template) if f.name not in _NAME_FIELDS}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"header": json.dumps(header)})


def load_template(path: Path = TEMPLATE_PATH) -> AnnyTemplate:
    """Read the template.

    Raises:
        UserError: the file is missing.
        SchemaError: the file is of another schema version.
    """
    if not path.exists():
        raise UserError(
            f"{path} does not exist. It ships with lca-shared: install the package again, or make it with "
            f"scripts/make_anny_template.py."
        )
    with safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {}).get("header", "{}"))
        check_schema(header, path, KIND, SCHEMA_VERSION)
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    return AnnyTemplate(**{name: tuple(header[name]) for name in _NAME_FIELDS}, **tensors)
