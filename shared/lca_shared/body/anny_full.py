"""The full Anny model (extra ``lca-shared[anny]``) in the terms of the compact one.

For Anny's own shape parameters (phenotypes), and to hold the compact template to the model it was made from. The first
build takes about a minute and leaves 0.2 to 0.5 GB in Anny's cache (``ANNY_CACHE_DIR``, ``~/.cache/anny``).
"""

from collections.abc import Mapping
from typing import Any

import torch

from lca_shared.body.compact_body import CompactBody, gaze_to_matrix
from lca_shared.body.model import BodyPose, ShapedBody
from lca_shared.errors import UserError
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor


class FullAnny:
    """Anny with the rig and expressions of the compact template.

    Raises:
        UserError: the `anny` package is not installed.
    """

    def __init__(self) -> None:
        try:
            import anny
        except ImportError as error:
            raise UserError("The full Anny model needs the `anny` package: pip install 'lca-shared[anny]'.") from error
        self.model: Any = anny.Anny(local_changes=[], facial_actions="all", rig="makehuman", skinning_method="lbs")
        self.phenotype_names: tuple[str, ...] = tuple(self.model.phenotype_labels)

    def rest(
        self, phenotypes: Mapping[str, Float[Tensor, "batch"]], expression: Mapping[str, Float[Tensor, "batch"]]
    ) -> ShapedBody:
        """Rest vertices and joints of phenotypes (0..1 each) with facial actions by name."""
        batch = len(next(iter(phenotypes.values())))
        identity = torch.eye(4, dtype=self.model.dtype).expand(batch, self.model.bone_count, 4, 4)
        out = self._run(identity, phenotypes, expression)
        return ShapedBody(out["rest_vertices"], out["rest_bone_heads"])

    def skinned(
        self,
        body: CompactBody,
        phenotypes: Mapping[str, Float[Tensor, "batch"]],
        expression: Mapping[str, Float[Tensor, "batch"]],
        pose: BodyPose,
    ) -> Float[Tensor, "batch vertices 3"]:
        """Vertices skinned by Anny itself in a pose of the compact ``body``."""
        rest_root = self.rest(phenotypes, expression).joints[:, 0]
        return self._run(pose_parameters(body, pose, rest_root), phenotypes, expression)["vertices"]

    def shape_of(
        self, body: CompactBody, phenotypes: Mapping[str, Float[Tensor, "batch"]]
    ) -> Float[Tensor, "batch coefficients"]:
        """Shape coefficients of the compact ``body`` nearest to phenotypes; zero for the head axes.

        Least squares over vertices and joints, as the basis was made.
        """
        rest = self.rest(phenotypes, {})
        basis = torch.cat([body.shape_vertices, body.shape_joints], dim=1).flatten(1).to(rest.vertices)
        mean = torch.cat([body.template_vertices, body.template_joints]).to(rest.vertices)
        is_basis = torch.tensor([name.startswith("shape_") for name in body.shape_names])
        offsets = (torch.cat([rest.vertices, rest.joints], dim=1) - mean).flatten(1)
        shape = offsets.new_zeros(len(offsets), len(body.shape_names))
        shape[:, is_basis] = torch.linalg.lstsq(basis[is_basis].mT, offsets.mT).solution.mT
        return shape.to(body.template_vertices)

    def _run(self, pose: Tensor, phenotypes: Mapping[str, Tensor], expression: Mapping[str, Tensor]) -> dict[str, Any]:
        dtype = self.model.dtype
        with torch.no_grad():
            return self.model(
                pose_parameters=pose.to(dtype),
                phenotype_kwargs={name: value.to(dtype) for name, value in phenotypes.items()},
                facial_actions={name: value.to(dtype) for name, value in expression.items()} or None,
            )


def pose_parameters(
    body: CompactBody, pose: BodyPose, rest_root: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch joints 4 4"]:
    """Anny's pose parameters ("local-ref": rotations about world-parallel axes, the root's place in the world).

    Args:
        body: names the joints.
        pose: of ``body``.
        rest_root: rest position of the root joint of the shaped body, metres.
    """
    batch = pose.root_rotation.shape[:-1]
    parameters = torch.eye(4).to(pose.root_rotation).repeat(*batch, len(body.joint_names), 1, 1)
    driven = [body.joint_names.index(name) for name in body.driven_joints]
    eyes = [body.joint_names.index(name) for name in body.eye_joints]
    parameters[..., driven, :3, :3] = rotation_vector_to_matrix(pose.joint_rotations)
    parameters[..., eyes, :3, :3] = gaze_to_matrix(pose.gaze)
    parameters[..., 0, :3, :3] = rotation_vector_to_matrix(pose.root_rotation)
    parameters[..., 0, :3, 3] = (rest_root + pose.root_translation).to(parameters)
    return parameters
