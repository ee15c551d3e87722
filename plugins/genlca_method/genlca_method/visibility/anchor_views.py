"""Which anchors of a body each picture shows: the test behind the visibility mask of visibility-aware training.

An anchor is seen in a picture if it is inside it, faces the camera within an angle, is not hidden by the body itself,
and lies on the person mask. The paper says no more than "valid"; the parts of the test are our choice.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from genlca_method.visibility.depth_tests import DepthTest, depth_test
from lca_shared.body.anchors import SurfacePoints
from lca_shared.cameras import Cameras, project
from lca_shared.errors import UserError
from lca_shared.tensors import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class VisibilityConfig:
    """What counts as seen."""

    angle: float = 80.0
    """Degrees between an anchor's outward normal and the direction to the camera, at most."""
    tolerance: float = 0.01
    """Metres by which something must be nearer to the camera than an anchor to hide it."""
    mask: float = 0.5
    """Coverage by the person mask, at least."""
    depth: DepthTest = "auto"
    """embree (rays, CPU), raster (a depth picture, any device), or auto: raster on CUDA, else embree."""

    def __post_init__(self) -> None:
        if not 0.0 < self.angle <= 90.0 or self.tolerance < 0.0:
            raise UserError(
                "Visibility needs an angle above 0 and up to 90 degrees, and a tolerance of 0 metres or more."
            )


@dataclass(frozen=True)
class AnchorViews:
    """The four parts of the test, per view and anchor."""

    inside: Bool[Tensor, "*b views anchors"]
    """Projects into the picture, in front of the camera."""
    facing: Bool[Tensor, "*b views anchors"]
    uncovered: Bool[Tensor, "*b views anchors"]
    """Not hidden by the body itself."""
    on_person: Bool[Tensor, "*b views anchors"]
    """On the person mask."""
    weights: Float[Tensor, "*b views anchors"]
    """Coverage by the mask times the cosine between normal and direction to the camera: how well it is shown if it is
    seen at all."""

    @property
    def seen(self) -> Bool[Tensor, "*b views anchors"]:
        """All four parts hold."""
        return self.inside & self.facing & self.uncovered & self.on_person

    @property
    def valid(self) -> Bool[Tensor, "*b anchors"]:
        """Seen in at least one view."""
        return self.seen.any(dim=-2)

    @property
    def counts(self) -> Int[Tensor, "*b anchors"]:
        """Views in which each anchor is seen."""
        return self.seen.sum(dim=-2)

    @property
    def soft_counts(self) -> Float[Tensor, "*b anchors"]:
        """Sum of ``weights`` over the views in which an anchor is seen."""
        return (self.weights * self.seen).sum(dim=-2)


@torch.no_grad()
def anchor_views(
    anchors: SurfacePoints,
    vertices: Float[Tensor, "*b views vertices 3"],
    faces: Int[Tensor, "faces 3"],
    cameras: Cameras,
    masks: Float[Tensor, "*b views 1 h w"],
    config: VisibilityConfig,
) -> AnchorViews:
    """Test every anchor in every view.

    Args:
        anchors: points on the body's triangles.
        vertices: of the body as posed in each view, metres, world.
        faces: of the body.
        cameras: of the pictures, batch shape ``[*b views]``.
        masks: person masks of the pictures, 0..1.
        config: what counts as seen.
    """
    points, normals = anchors.read(vertices, faces), anchors.normals(vertices, faces)
    pixels, depth = project(cameras, points)
    size = pixels.new_tensor([cameras.width, cameras.height])
    inside = ((pixels >= 0) & (pixels < size)).all(dim=-1) & (depth > 0)
    to_camera = F.normalize(cameras.world_centers()[..., None, :] - points, dim=-1)
    cosine = (normals * to_camera).sum(dim=-1)
    covered = depth_test(config.depth, vertices.device)(vertices, faces, cameras, points, config.tolerance)
    coverage = _sampled(masks, pixels / size * 2 - 1)
    return AnchorViews(
        inside=inside,
        facing=cosine > math.cos(math.radians(config.angle)),
        uncovered=~covered,
        on_person=inside & (coverage >= config.mask),
        weights=cosine.clamp(min=0.0) * coverage * inside,
    )


def _sampled(masks: Tensor, grid: Tensor) -> Float[Tensor, "*b views anchors"]:
    """Masks read at places given in -1..1 from edge to edge."""
    safe = grid.nan_to_num(2.0, 2.0, -2.0).clamp(-2.0, 2.0)
    found = F.grid_sample(masks.flatten(0, -4), safe.flatten(0, -3)[:, :, None], align_corners=False)
    return found[:, 0, :, 0].reshape(grid.shape[:-1])
