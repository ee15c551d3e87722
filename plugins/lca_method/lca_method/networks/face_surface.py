"""What a picture shows at the points of the template's face, moved by an expression."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lca_method.batch import FaceViews
from lca_method.networks.local_contrast import local_contrast
from lca_method.networks.projected_colors import on_picture
from lca_shared.body.anchors import vertex_normals
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import project
from lca_shared.skinning import apply_blended, blend_transforms
from lca_shared.tensors import Float, Tensor

_NEIGHBOURHOOD = 1 / 32
"""Reach of the local contrast, as a fraction of the picture's side."""
_SKIMMING, _FACING = 0.25, 0.75
"""Cosines between normal and view below which a point counts for nothing, and above which it counts fully."""


@dataclass(frozen=True)
class FaceSurface:
    """Points of a body's face and of the fronts of its eyes."""

    body: CompactBody
    """Of these vertices alone."""
    normals: Float[Tensor, "points 3"]
    """Outward, at rest."""

    @staticmethod
    def of(body: CompactBody) -> "FaceSurface":
        """Of a whole body model, on its device."""
        shown = body.regions["face"] | (body.regions["eyes"] & ~body.regions["hidden"])
        normals = vertex_normals(body.template_vertices, body.faces)
        index = shown.nonzero()[:, 0]
        return FaceSurface(body.subset(index), normals[index])

    def read(
        self,
        shape: Float[Tensor, "*b coefficients"],
        pose: BodyPose,
        expression: Float[Tensor, "*b targets expressions"],
        faces: FaceViews,
    ) -> tuple[Float[Tensor, "*b targets points 3"], Float[Tensor, "*b targets points"]]:
        """Local contrast where each point projects to, and how well each is seen (0 to 1; no gradients).

        The former has gradients to ``expression``: no rendering is needed to move points to where they look right.

        Args:
            shape: of the people.
            pose: of the frames.
            expression: coefficients of the template's expressions.
            faces: head crops of the frames.
        """
        body, shape = self.body, shape[..., None, :]
        with torch.no_grad():
            neutral = body.shaped(shape)
            blended = blend_transforms(body.active_weights, body.active_transforms(neutral.joints, pose))
            points = apply_blended(blended, neutral.vertices)
            normals = F.normalize((blended[..., :3] @ self.normals[..., None])[..., 0], dim=-1)
            view = F.normalize(faces.cameras.world_centers()[..., None, :] - points, dim=-1)
            facing = (((normals * view).sum(-1) - _SKIMMING) / (_FACING - _SKIMMING)).clamp(0, 1)
            contrast = _contrast_of(faces)
        moved = body.skinned(body.shaped(shape, expression), pose)
        size = moved.new_tensor([faces.cameras.width, faces.cameras.height])
        grid = on_picture(2 * project(faces.cameras, moved)[0] / size - 1).flatten(0, -3)[:, :, None]
        pictures = torch.cat([contrast, faces.masks], dim=-3).flatten(0, -4)
        found = F.grid_sample(pictures, grid, align_corners=False)[..., 0].mT
        found = found.unflatten(0, facing.shape[:-1])
        inside = (found[..., 3] > 0.9).to(facing)
        return found[..., :3], (facing * inside * faces.seen[..., None]).detach()


def _contrast_of(faces: FaceViews) -> Float[Tensor, "*b targets 3 fh fw"]:
    pictures = ((faces.images - 0.5) * faces.masks).flatten(0, -4)
    reach = max(int(_NEIGHBOURHOOD * pictures.shape[-1]), 1)
    return local_contrast(pictures, reach).reshape(faces.images.shape)
