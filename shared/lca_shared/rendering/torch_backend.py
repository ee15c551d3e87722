"""The reference: plain torch, one row per (pixel, Gaussian) pair. Slow, obvious, any precision, any device.

It differs from the others in this: transmittance is summed as logarithms in double precision, not multiplied along the
pixel in the Gaussians' precision; all pairs are in memory at once (about 100 bytes each, and more with gradients); a
Gaussian on the very brink of a threshold may fall on the other side in single precision.
"""

import torch

from lca_shared.gaussians import Gaussians
from lca_shared.rendering.convention import Convention
from lca_shared.rendering.projection import ProjectedGaussians, project_gaussians
from lca_shared.tensors import Float, Tensor


def render(
    gaussians: Gaussians,
    camera_from_world: Float[Tensor, "4 4"],
    intrinsics: Float[Tensor, "3 3"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Float[Tensor, "height width channels"], Float[Tensor, "height width"], Float[Tensor, "height width"]]:
    """Blended channels over black, alpha, and alpha-weighted depth (metres, not divided by alpha)."""
    projected = project_gaussians(gaussians, camera_from_world, intrinsics, width, height, convention)
    channels = torch.cat([gaussians.colors[projected.index], projected.depths[:, None]], dim=-1)
    image, alpha = composite(projected, channels, width, height, convention)
    return image[..., :-1], alpha, image[..., -1]


def composite(
    projected: ProjectedGaussians,
    channels: Float[Tensor, "visible channels"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Float[Tensor, "height width channels"], Float[Tensor, "height width"]]:
    """Blend front to back; gradients by autograd.

    Returns:
        Blended channels over black, and alpha.
    """
    device = channels.device
    with torch.no_grad():
        left, top, right, bottom = projected.rectangles.long().unbind(-1)
        pairs = (right - left) * (bottom - top)
        gaussian = torch.repeat_interleave(torch.arange(len(pairs), device=device), pairs)
        place = torch.arange(len(gaussian), device=device) - (pairs.cumsum(0) - pairs)[gaussian]
        columns = (right - left)[gaussian]
        x, y = left[gaussian] + place % columns, top[gaussian] + place // columns
        sigma = _sigma(projected.means[gaussian], projected.conics[gaussian], x, y)
        alpha = torch.clamp(projected.opacities[gaussian] * torch.exp(-sigma), max=convention.max_alpha)
        kept = ((sigma >= 0) & (alpha >= convention.min_alpha)).nonzero()[:, 0]
        # Gaussians come nearest first and the sort is stable: within a pixel the order stays front to back.
        pixel, order = torch.sort((y * width + x)[kept], stable=True)
        gaussian = gaussian[kept][order]
        x, y = pixel % width, pixel // width
        starts = torch.ones_like(pixel, dtype=torch.bool)
        starts[1:] = pixel[1:] != pixel[:-1]
        segment = starts.cumsum(0) - 1
    sigma = _sigma(projected.means[gaussian], projected.conics[gaussian], x, y)
    alpha = torch.clamp(projected.opacities[gaussian] * torch.exp(-sigma), max=convention.max_alpha)
    log_passed = torch.log1p(-alpha.double())
    total = log_passed.cumsum(0)
    through = total - (total - log_passed)[starts][segment]  # log transmittance behind each Gaussian, per pixel
    alive = through.detach().exp() > convention.min_transmittance
    weight = (alpha * torch.exp(through - log_passed)).to(channels.dtype) * alive
    image = channels.new_zeros(height * width, channels.shape[1]).index_add(
        0, pixel, weight[:, None] * channels[gaussian]
    )
    opacity = channels.new_zeros(height * width).index_add(0, pixel, weight)
    return image.view(height, width, -1), opacity.view(height, width)


def _sigma(means: Tensor, conics: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Half the squared Mahalanobis distance from the Gaussian's centre to the pixel's centre."""
    dx, dy = means[:, 0] - x - 0.5, means[:, 1] - y - 0.5
    return 0.5 * (conics[:, 0] * dx * dx + conics[:, 2] * dy * dy) + conics[:, 1] * dx * dy
