"""Every Gaussian at every pixel, written down from the formulas and nothing else: no tiles, nothing left out early.

From gsplat 1.5 on, a picture is exactly this: its rectangles leave nothing out that is opaque enough to be drawn.
"""

import torch
from torch import Tensor

from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians


def render(gaussians: Gaussians, camera: Cameras, max_alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [channels, h, w] over black, alpha [h, w], expected depth [h, w] of one camera."""
    world_to_camera, k = camera.camera_from_world, camera.intrinsics
    w, x, y, z = (gaussians.quaternions / gaussians.quaternions.norm(dim=-1, keepdim=True)).T
    turn = torch.stack(
        [
            torch.stack([w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            torch.stack([2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)], -1),
            torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z], -1),
        ],
        -2,
    )
    covariance = turn @ torch.diag_embed(gaussians.scales**2) @ turn.mT
    place = torch.einsum("ij,nj->ni", world_to_camera[:3, :3], gaussians.means) + world_to_camera[:3, 3]
    order = torch.argsort(place[:, 2], stable=True)
    centers = [torch.arange(size, dtype=place.dtype) + 0.5 for size in (camera.height, camera.width)]
    pixel_y, pixel_x = torch.meshgrid(*centers, indexing="ij")
    color = torch.zeros(gaussians.colors.shape[-1], camera.height, camera.width, dtype=place.dtype)
    depth, through = torch.zeros_like(color[0]), torch.ones_like(color[0])
    going = torch.ones_like(through, dtype=torch.bool)
    for g in order.tolist():
        px, py, pz = place[g]
        if not 0.01 <= pz <= 1e10:
            continue
        # The slope at which the Jacobian is taken stays within 1.3 times the field of view, seen from the optical axis.
        slopes = []
        for value, focal, center, size in ((px, k[0, 0], k[0, 2], camera.width), (py, k[1, 1], k[1, 2], camera.height)):
            extra = 0.3 * 0.5 * size / focal
            slopes.append((value / pz).clamp(-center / focal - extra, (size - center) / focal + extra))
        jacobian = torch.zeros(2, 3, dtype=place.dtype)
        jacobian[0, 0], jacobian[0, 2] = k[0, 0] / pz, -k[0, 0] * slopes[0] / pz
        jacobian[1, 1], jacobian[1, 2] = k[1, 1] / pz, -k[1, 1] * slopes[1] / pz
        through_camera = jacobian @ world_to_camera[:3, :3]
        flat = through_camera @ covariance[g] @ through_camera.T + 0.3 * torch.eye(2, dtype=place.dtype)
        offset = torch.stack([pixel_x - (k[0, 0] * px / pz + k[0, 2]), pixel_y - (k[1, 1] * py / pz + k[1, 2])], -1)
        distance = torch.einsum("hwi,ij,hwj->hw", offset, torch.linalg.inv(flat), offset)
        alpha = (gaussians.opacities[g] * torch.exp(-0.5 * distance)).clamp(max=max_alpha)
        drawn = going & (alpha >= 1 / 255)
        going = going & ~(drawn & (through * (1 - alpha) <= 1e-4))
        weight = torch.where(drawn & going, alpha * through, 0)
        color = color + weight * gaussians.colors[g][:, None, None]
        depth = depth + weight * pz
        through = through - weight
    return color, 1 - through, depth / (1 - through).clamp(min=1e-10)
