"""What a picture shows at the points of the template's face, moved by an expression."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lca_method.batch import FaceViews
from lca_shared.body.anchors import face_normals
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import project
from lca_shared.skinning import apply_blended, blend_transforms
from lca_shared.tensors import Float, Tensor

_FLOOR = 0.02
"""Contrast below which a neighbourhood counts as plain, sRGB."""
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
        directions, areas = face_normals(body.template_vertices, body.faces)
        around = torch.zeros_like(body.template_vertices)
        for corner in range(3):
            around.index_add_(0, body.faces[:, corner], directions * areas[:, None])
        index = shown.nonzero()[:, 0]
        return FaceSurface(body.subset(index), F.normalize(around[index], dim=-1))

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
            contrast = local_contrast(faces.images, faces.masks)
        moved = body.skinned(body.shaped(shape, expression), pose)
        size = moved.new_tensor([faces.cameras.width, faces.cameras.height])
        grid = (2 * project(faces.cameras, moved)[0] / size - 1).flatten(0, -3)[:, :, None]
        pictures = torch.cat([contrast, faces.masks], dim=-3).flatten(0, -4)
        found = F.grid_sample(pictures, grid.nan_to_num(2.0, 2.0, -2.0), align_corners=False)[..., 0].mT
        found = found.unflatten(0, facing.shape[:-1])
        inside = (found[..., 3] > 0.9).to(facing)
        return found[..., :3], (facing * inside * faces.seen[..., None]).detach()


def local_contrast(images: Float[Tensor, "*b 3 h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Pictures without the mean of each pixel's neighbourhood (a fourteenth of the side), over its deviation there.

    Light changes from frame to frame by more than an expression does, but over larger areas.
    """
    pictures = ((images - 0.5) * masks).flatten(0, -4)
    reach = max(pictures.shape[-1] // 32, 1)

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, 2 * reach + 1, 1, reach, count_include_pad=False)

    detail = pictures - mean(pictures)
    deviation = mean(detail.square().mean(dim=1, keepdim=True)).sqrt()
    return (detail / (deviation + _FLOOR)).reshape(images.shape)
