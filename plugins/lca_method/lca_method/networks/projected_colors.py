"""Colours read off the reference pictures where the fitted body projects: what small models start their colours from.

Processing fits a body to every picture (the paper's "pixel-aligned body mesh", Section 4.1), so a point of the template
has a pixel in every reference view. A model trained for minutes cannot learn these correspondences from attention; with
them it has to learn only what the fit does not know: hair, loose clothes, what no view shows. Not in the paper, and off
at the paper's sizes.
"""

import torch
from torch import nn
from torch.nn import functional as F

from lca_method.batch import ReferenceFit
from lca_method.networks.unseen_colors import filled_in
from lca_shared.cameras import Cameras, project
from lca_shared.lighting.tone import to_linear, to_srgb
from lca_shared.tensors import Float, Tensor

_FACE_PREFERENCE = 4.0
"""Weight of a face crop's colours against a whole picture's: it has several pixels for each of the other's."""
_START = 0.1
"""Weight of what attention found, at the start, against one view that looks straight at the point."""


class ProjectedColors(nn.Module):
    """Blends each point's colours over the views that see it with a fallback for points that none does."""

    def __init__(self) -> None:
        super().__init__()
        self.log_fallback_weight = nn.Parameter(torch.tensor(_START).log())

    def forward(
        self,
        points: Float[Tensor, "*b views points 3"],
        normals: Float[Tensor, "*b views points 3"],
        images: Float[Tensor, "*b views 3 h w"],
        masks: Float[Tensor, "*b views 1 h w"],
        face_images: Float[Tensor, "*b views 3 fh fw"],
        face_masks: Float[Tensor, "*b views 1 fh fw"],
        fit: ReferenceFit,
        spacing: float,
        fallback: Float[Tensor, "*b points 3"],
        likenesses: Float[Tensor, "tokens tokens"] | None = None,
        light: Float[Tensor, "*b views points"] | None = None,
    ) -> Float[Tensor, "*b points 3"]:
        """sRGB 0..1 per point.

        Args:
            points: posed as in each view, metres, world.
            normals: outward, world.
            images, masks, face_images, face_masks: of the reference views.
            fit: cameras of the views.
            spacing: typical distance of neighbouring points, metres.
            fallback: colours for points that no view shows.
            likenesses: take those from seen points first (see ``filled_in``).
            light: that reached the points in each view, linear; colours become those under light of 1, and what was
                dark counts for less.
        """
        body, seen = sampled(points, normals, images, masks, fit.cameras, spacing)
        face, face_seen = sampled(points, normals, face_images, face_masks, fit.face_cameras, spacing)
        if light is not None:
            body, face = (to_srgb(to_linear(colors) / light[..., None]).clamp(0, 1) for colors in (body, face))
            seen, face_seen = (weights * light.clamp(max=1) for weights in (seen, face_seen))
        face_seen = face_seen * _FACE_PREFERENCE
        own = self.log_fallback_weight.exp()
        weighted = (body * seen[..., None] + face * face_seen[..., None]).sum(dim=-3)
        total = (seen + face_seen).sum(dim=-2)
        if likenesses is not None:
            fallback = filled_in(weighted, total, fallback, likenesses)
        return (weighted + own * fallback) / (total[..., None] + own)


@torch.no_grad()
def sampled(
    points: Float[Tensor, "*b points 3"],
    normals: Float[Tensor, "*b points 3"],
    images: Float[Tensor, "*b 3 h w"],
    masks: Float[Tensor, "*b 1 h w"],
    cameras: Cameras,
    spacing: float,
) -> tuple[Float[Tensor, "*b points 3"], Float[Tensor, "*b points"]]:
    """Colours of points in pictures, and how well each is seen: 0 = hidden, turned away or outside the mask, up to 1.

    Args:
        spacing: distance of neighbouring points, metres; sets how coarse the depth test is.
    """
    batch, count = points.shape[:-2], points.shape[-2]
    pixels, depth = project(cameras, points)
    to_camera = F.normalize(cameras.world_centers()[..., None, :] - points, dim=-1)
    facing = (normals * to_camera).sum(-1).clamp(min=0)
    size = pixels.new_tensor([cameras.width, cameras.height])
    places = (pixels / size).reshape(-1, count, 2)
    flat_depth = depth.reshape(-1, count)
    nearest = _nearest_depth(places, flat_depth, _cells(cameras, depth, spacing))
    visible = flat_depth < nearest + 3 * spacing + 0.01
    grid = on_picture(places * 2 - 1)[:, :, None]
    pictures = torch.cat([images * masks, masks], dim=-3).reshape(-1, 4, *images.shape[-2:])
    found = F.grid_sample(pictures, grid, align_corners=False)[..., 0].mT
    share = found[..., 3]
    colors = found[..., :3] / share[..., None].clamp(min=1e-3)
    inside = ((places > 0) & (places < 1)).all(dim=-1) & (flat_depth > 0) & (share > 0.5)
    weights = (inside & visible).to(share) * share * facing.reshape(-1, count) ** 2
    return colors.clamp(0, 1).reshape(*batch, count, 3), weights.reshape(*batch, count)


def on_picture(grid: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 2"]:
    """Places for ``grid_sample`` (-1..1) without what points in the camera's own plane have: numbers without end."""
    return grid.nan_to_num(2.0, 2.0, -2.0).clamp(-2, 2)


def _cells(cameras: Cameras, depth: Tensor, spacing: float) -> int:
    """Cells across the picture so that one is about two points wide: a depth test without holes."""
    metres = cameras.width * depth.median() / cameras.intrinsics[..., 0, 0].median()
    return int((metres / (2 * spacing)).clamp(4, 256))


def _nearest_depth(
    places: Float[Tensor, "pictures points 2"], depth: Float[Tensor, "pictures points"], cells: int
) -> Float[Tensor, "pictures points"]:
    """Depth of the nearest point in each point's cell of a coarse picture."""
    column, row = (places * cells).long().clamp(0, cells - 1).unbind(-1)
    cell = row * cells + column
    in_front = torch.where(depth > 0, depth, torch.inf)
    nearest = depth.new_full((len(depth), cells * cells), torch.inf).scatter_reduce(1, cell, in_front, "amin")
    return nearest.gather(1, cell)
