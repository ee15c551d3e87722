"""What the person's outline says about each point: where hair and clothes stand off the fitted body.

Along a point's normal the masks of the reference views tell how far the person goes on, and the body's own silhouette
how much of that the body explains by itself. A small network, the same for all points, turns this profile into a
start for the point's Gaussian: so it learns from every point of every training person at once, and carries over to new
people after minutes of training. Not in the paper, whose model learns it from very many people; off at its sizes.
"""

import torch
from torch import nn
from torch.nn import functional as F

from lca_method.networks.gaussian_heads import GaussianStart
from lca_method.networks.projected_colors import on_picture
from lca_shared.cameras import Cameras, project
from lca_shared.tensors import Float, Tensor

DISTANCES = (0.0, 0.02, 0.04, 0.07, 0.1, 0.14, 0.19, 0.25)
"""Metres along the outward normal."""
FEATURES = 4 * len(DISTANCES) + 1
_REACH = 0.3
"""Metres: bound of a start offset along the normal, and of each coordinate beside it."""


class ProfileReader(nn.Module):
    """What a small network says of profiles: all zero before training."""

    def __init__(self, features: int, position_code: int, hidden: int):
        """Args: numbers of a profile; length of the points' position code; width of the network."""
        super().__init__()
        inputs = features + position_code + 3
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU()
        )
        self.last = nn.Linear(hidden, 9)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def read(
        self,
        profile: Float[Tensor, "*b points features"],
        position_code: Float[Tensor, "points code"],
        colors: Float[Tensor, "*b points 3"],
    ) -> tuple[Tensor, ...]:
        """How far along the direction and along each axis, opacities, log-scales and colours, [*b, points, 1 or 3].

        Args: of :func:`outline_profile`; code of the points on the template; sRGB.
        """
        code = position_code.expand(*profile.shape[:-1], -1)
        hidden = self.layers(torch.cat([profile, code, colors], dim=-1))
        return self.last(hidden).split([1, 3, 1, 1, 3], dim=-1)


class ProjectedOutline(ProfileReader):
    """Profiles along the normals -> starts of the Gaussians; nothing is added before training."""

    def __init__(self, position_code: int, hidden: int = 64):
        """Args: length of the points' position code; width of the network."""
        super().__init__(FEATURES, position_code, hidden)

    def forward(
        self,
        profile: Float[Tensor, "*b points features"],
        position_code: Float[Tensor, "points code"],
        colors: Float[Tensor, "*b points 3"],
        rest_normals: Float[Tensor, "points 3"],
    ) -> GaussianStart:
        """Args: of :func:`outline_profile`; code of the points on the template; sRGB; outward unit normals."""
        along, beside, opacities, log_scales, tint = self.read(profile, position_code, colors)
        offsets = _REACH * (along.tanh() * rest_normals + beside.tanh())
        return GaussianStart(offsets, opacities[..., 0], log_scales[..., 0], tint)


@torch.no_grad()
def outline_profile(
    points: Float[Tensor, "*b views points 3"],
    normals: Float[Tensor, "*b views points 3"],
    masks: Float[Tensor, "*b views 1 h w"],
    cameras: Cameras,
    spacing: float,
    along: tuple[float, ...] = DISTANCES,
    votes: bool = False,
) -> Float[Tensor, "*b points features"]:
    """For each of the distances: how much of the person, of the body's silhouette and of the person beyond it is
    met, mean over views that see the normal from the side; whether every view that shows the place shows the person
    there; and how much the views see the normal from the side at all.

    Args:
        points: posed as in each view, metres, world.
        normals: outward, unit, world.
        masks: person masks of the views.
        cameras: of the views.
        spacing: typical distance of neighbouring points, metres; sets how coarse the body's silhouette is.
        along: distances, metres along the normals.
        votes: instead of whether every view shows the person, which share of them does.
    """
    *batch, views, count, _ = points.shape
    grid, depth = _along_on_pictures(points, normals, cameras, along)
    shown = ((grid.abs() < 1).all(dim=-1) & (depth > 0)).to(points)
    pictures = torch.cat([masks, _silhouette(points, masks, cameras, spacing)], dim=-3).flatten(0, -4)
    found = F.grid_sample(pictures, grid.flatten(0, -4).flatten(1, 2)[:, :, None], align_corners=False)[..., 0]
    person, body = found.reshape(*batch, views, 2, count, len(along)).unbind(-3)
    to_camera = F.normalize(cameras.world_centers()[..., None, :] - points, dim=-1)
    side = (1 - (normals * to_camera).sum(-1).square()).square()[..., None] * shown
    total = side.sum(dim=-3)
    met = [(side * values).sum(dim=-3) / (total + 0.05) for values in (person, body, person * (1 - body))]
    if votes:
        there = (person * shown).sum(dim=-3) / shown.sum(dim=-3).clamp(min=1)
    else:
        there = (person * shown + 1 - shown).amin(dim=-3)
    return torch.cat([*met, there, total[..., :1] / views], dim=-1)


def _along_on_pictures(
    points: Float[Tensor, "*b views points 3"],
    normals: Float[Tensor, "*b views points 3"],
    cameras: Cameras,
    along: tuple[float, ...],
) -> tuple[Float[Tensor, "*b views points along 2"], Float[Tensor, "*b views points along"]]:
    """Where places along normals are on pictures (for ``grid_sample``), and their depths, metres.

    Until the division by depth a projection is linear in the distance: points and normals are turned, not each place.
    """
    picture_from_camera = cameras.intrinsics.clone()
    picture_from_camera[..., :2, :] *= 2 / cameras.intrinsics.new_tensor([[cameras.width], [cameras.height]])
    picture_from_world = picture_from_camera @ cameras.camera_from_world[..., :3, :]
    turn, shift = picture_from_world.split([3, 1], dim=-1)
    start = (turn @ points.mT + shift)[..., None]
    places = start + (turn @ normals.mT)[..., None] * points.new_tensor(along)
    depth = places[..., 2, :, :]
    grid = places[..., :2, :, :] / depth[..., None, :, :] - 1
    return on_picture(torch.stack(grid.unbind(-3), dim=-1)), depth


def _silhouette(
    points: Float[Tensor, "*b views points 3"], masks: Float[Tensor, "*b views 1 h w"], cameras: Cameras, spacing: float
) -> Float[Tensor, "*b views 1 h w"]:
    """Pictures of the body alone: 1 in cells about two points wide that hold one, as large as the masks."""
    pixels, depth = project(cameras, points)
    metres = cameras.width * depth.median() / cameras.intrinsics[..., 0, 0].median()
    cells = int((metres / (2 * spacing)).clamp(4, 256))
    column, row = (pixels / pixels.new_tensor([cameras.width, cameras.height]) * cells).long().unbind(-1)
    inside = (column >= 0) & (column < cells) & (row >= 0) & (row < cells) & (depth > 0)
    cell = torch.where(inside, row * cells + column, cells * cells).flatten(0, -2)
    picture = points.new_zeros(len(cell), cells * cells + 1).scatter_(1, cell, 1.0)[:, :-1]
    size = masks.shape[-2:]
    return F.interpolate(picture.reshape(-1, 1, cells, cells), size=size, mode="bilinear").reshape(masks.shape)
