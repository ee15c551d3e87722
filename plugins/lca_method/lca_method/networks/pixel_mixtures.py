"""Pictures as mixtures of Gaussians, and the way back: a linear map of the Gaussians' values, and its transpose."""

import torch

from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize
from lca_shared.tensors import Float, Tensor

_LEAST = 1e-3


def mixed(
    gaussians: Gaussians, weights: Float[Tensor, "gaussians 1"], values: Float[Tensor, "gaussians k"], camera: Cameras
) -> Float[Tensor, "k h w"]:
    """Means of values at pixels, by how much of each pixel a Gaussian is times its weight; 0 where nobody is.

    Args:
        gaussians: world, without batch axes; takes no gradients from here.
        weights: as of ``facing_weights``.
        values: of the Gaussians.
        camera: without batch axes.
    """
    picture = rasterize(gaussians.with_colors(torch.cat([values * weights, weights], dim=-1)), camera).colors
    return picture[:-1] / picture[-1:].detach().clamp(min=_LEAST)


def carried_back(
    gaussians: Gaussians, weights: Float[Tensor, "gaussians 1"], picture: Float[Tensor, "k h w"], camera: Cameras
) -> Float[Tensor, "gaussians k"]:
    """Sums over pixels of what a picture says, by how much of each pixel a Gaussian is: the transpose of :func:`mixed`.

    Args: as of :func:`mixed`.
    """
    with torch.enable_grad():
        values = torch.zeros(len(weights), len(picture), device=weights.device, requires_grad=True)
        total = (mixed(gaussians, weights.detach(), values, camera) * picture.detach()).sum()
        return torch.autograd.grad(total, values)[0]
