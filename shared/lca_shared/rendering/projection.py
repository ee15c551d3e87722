"""From 3D Gaussians to 2D ones: the EWA projection of gsplat, in torch, differentiable, for one camera."""

from dataclasses import dataclass

import torch

from lca_shared.gaussians import Gaussians
from lca_shared.rendering.convention import Convention
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class ProjectedGaussians:
    """The Gaussians that touch the picture, nearest first."""

    index: Int[Tensor, "visible"]
    """Which Gaussian each was."""
    means: Float[Tensor, "visible 2"]
    """Centres, pixels."""
    conics: Float[Tensor, "visible 3"]
    """Upper triangle (xx, xy, yy) of the inverse covariance, 1 / pixels squared."""
    depths: Float[Tensor, "visible"]
    """Metres along the optical axis."""
    opacities: Float[Tensor, "visible"]
    rectangles: Int[Tensor, "visible 4"]
    """Pixels that may be touched: left, top, right, bottom (right and bottom excluded)."""


def project_gaussians(
    gaussians: Gaussians,
    camera_from_world: Float[Tensor, "4 4"],
    intrinsics: Float[Tensor, "3 3"],
    width: int,
    height: int,
    convention: Convention,
) -> ProjectedGaussians:
    """Project Gaussians (no batch axes) into one camera.

    Gradients flow to means, quaternions, scales, opacities, and to the camera. What is not visible is left out.
    """
    rotation, translation = camera_from_world[:3, :3], camera_from_world[:3, 3]
    with torch.no_grad():
        depth = gaussians.means @ rotation[2] + translation[2]
        in_range = (
            (depth >= convention.near) & (depth <= convention.far) & (gaussians.opacities >= convention.min_alpha)
        )
        # What is not finite would give NaN gradients even where it is not drawn.
        finite = torch.cat([gaussians.means, gaussians.quaternions, gaussians.scales], dim=-1).isfinite().all(-1)
        index = (in_range & finite).nonzero()[:, 0]
    x, y, z = (gaussians.means[index] @ rotation.mT + translation).unbind(-1)
    # Columns of `axes` are the Gaussian's axes times their deviations, in the camera: covariance = axes axes^T.
    axes = rotation @ (quaternion_to_matrix(gaussians.quaternions[index]) * gaussians.scales[index][:, None, :])
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    margin = 0.5 * convention.frustum_margin
    margin_x, margin_y = margin * width / fx, margin * height / fy
    limited_x = torch.clamp(x / z, -(cx / fx + margin_x), (width - cx) / fx + margin_x)
    limited_y = torch.clamp(y / z, -(cy / fy + margin_y), (height - cy) / fy + margin_y)
    row_u = (fx / z)[:, None] * (axes[:, 0] - limited_x[:, None] * axes[:, 2])
    row_v = (fy / z)[:, None] * (axes[:, 1] - limited_y[:, None] * axes[:, 2])
    xx = (row_u * row_u).sum(-1) + convention.covariance_blur
    xy = (row_u * row_v).sum(-1)
    yy = (row_v * row_v).sum(-1) + convention.covariance_blur
    determinant = xx * yy - xy * xy
    means = torch.stack([fx * x / z + cx, fy * y / z + cy], dim=-1)
    conics = torch.stack([yy, -xy, xx], dim=-1) / determinant[:, None]
    opacities = gaussians.opacities[index]
    with torch.no_grad():
        rectangles, touches = _rectangles(means, xx, yy, determinant, opacities, width, height, convention)
        kept = touches.nonzero()[:, 0]
        # gsplat sorts by the bits of float32 depths: equal in float32 means input order.
        kept = kept[torch.sort(z[kept].float(), stable=True).indices]
    return ProjectedGaussians(index[kept], means[kept], conics[kept], z[kept], opacities[kept], rectangles[kept])


def _rectangles(
    means: Tensor,
    xx: Tensor,
    yy: Tensor,
    determinant: Tensor,
    opacities: Tensor,
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Tensor, Tensor]:
    """Pixels each Gaussian may touch, and whether it touches any.

    gsplat draws a Gaussian in every tile that its radius reaches, and there at every pixel where it is opaque enough.
    The rectangle is the meeting of those tiles with the ellipse of ``min_alpha``: the same pixels, fewer tests.
    """
    reach = torch.sqrt(torch.clamp(2 * torch.log(opacities / convention.min_alpha), min=0))
    if convention.isotropic_radius:
        half = 0.5 * (xx + yy)
        longer = half + torch.sqrt(torch.clamp(half * half - determinant, min=0.01))
        radius_x = radius_y = torch.ceil(3 * torch.sqrt(longer))
    else:
        extent = torch.clamp(reach, max=3.33)
        radius_x, radius_y = torch.ceil(extent * torch.sqrt(xx)), torch.ceil(extent * torch.sqrt(yy))
    touches = determinant > 0
    bounds = []
    for center, radius, variance, size in (
        (means[:, 0], radius_x, xx, width),
        (means[:, 1], radius_y, yy, height),
    ):
        touches &= (radius > 0) & (center + radius > 0) & (center - radius < size)
        exact = reach * torch.sqrt(variance) + 1e-3
        tile = convention.tile
        first = torch.maximum(torch.floor((center - radius) / tile) * tile, torch.floor(center - exact - 0.5))
        last = torch.minimum(torch.ceil((center + radius) / tile) * tile, torch.ceil(center + exact + 0.5))
        bounds.append((first.clamp(0, size), last.clamp(0, size)))
    (left, right), (top, bottom) = bounds
    touches &= (right > left) & (bottom > top)
    return torch.stack([left, top, right, bottom], dim=-1).int(), touches
