"""What a picture shows of Gaussians."""

from typing import Literal

import torch

from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor

Mode = Literal["rgb", "depth", "alpha", "normals", "gaussians"]
MODES: tuple[Mode, ...] = ("rgb", "depth", "alpha", "normals", "gaussians")
"""normals: each Gaussian's flattest direction, towards the camera; gaussians: a colour for each."""


def pictured(
    gaussians: Gaussians, camera: Cameras, mode: Mode, background: Float[Tensor, "3"]
) -> Float[Tensor, "3 h w"]:
    """A picture, 0..1; neither has batch axes. Depth is white at the nearest point and dark at the farthest."""
    if mode == "normals":
        gaussians = gaussians.with_colors(0.5 + 0.5 * _normals(gaussians, camera))
    elif mode == "gaussians":
        number = torch.arange(gaussians.count, device=gaussians.means.device)
        hue = torch.stack([(number * step % 256) / 255 for step in (97, 57, 181)], dim=-1)
        gaussians = gaussians.with_colors(hue.to(gaussians.means))
    shown = rasterize(gaussians, camera, background=background.to(gaussians.means))
    if mode == "alpha":
        return shown.alpha.expand(3, -1, -1)
    if mode == "depth":
        inside = shown.alpha[0] > 0.5
        if not bool(inside.any()):
            return torch.zeros_like(shown.colors)
        near, far = shown.depth[0][inside].min(), shown.depth[0][inside].max()
        share = 1 - 0.85 * (shown.depth - near) / (far - near).clamp(min=1e-6)
        return (share * inside).clamp(0, 1).expand(3, -1, -1)
    return shown.colors.clamp(0, 1)


def _normals(gaussians: Gaussians, camera: Cameras) -> Float[Tensor, "gaussians 3"]:
    axes = quaternion_to_matrix(torch.nn.functional.normalize(gaussians.quaternions, dim=-1))
    flattest = gaussians.scales.argmin(dim=-1)
    normals = axes.gather(-1, flattest[:, None, None].expand(-1, 3, 1))[..., 0]
    towards = camera.world_centers().to(normals) - gaussians.means
    return normals * (normals * towards).sum(-1, keepdim=True).sign()
