"""gsplat on CUDA, one camera: the rules are those of the installed release."""

import torch

from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.rendering.convention import Convention
from lca_shared.tensors import Float, Tensor


def render(
    gaussians: Gaussians,
    camera_from_world: Float[Tensor, "4 4"],
    intrinsics: Float[Tensor, "3 3"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Float[Tensor, "height width channels"], Float[Tensor, "height width"], Float[Tensor, "height width"]]:
    """Blended channels over black, alpha, and alpha-weighted depth (metres, not divided by alpha).

    Raises:
        UserError: there is no CUDA device, the tensors are not on it, or the convention is not the installed gsplat's.
    """
    if not torch.cuda.is_available() or not gaussians.means.is_cuda:
        raise UserError("The gsplat backend needs tensors on a CUDA device; on a CPU choose the backend `numba`.")
    if convention != Convention.installed():
        raise UserError(
            f"The installed gsplat follows {Convention.installed().name}, not {convention.name}: "
            "install that release, or choose the backend `torch`."
        )
    from gsplat import rasterization  # imported late: its first call builds CUDA code

    channels = gaussians.colors.shape[-1]
    image, alpha, _ = rasterization(
        gaussians.means,
        gaussians.quaternions,
        gaussians.scales,
        gaussians.opacities,
        gaussians.colors,
        camera_from_world[None],
        intrinsics[None],
        width,
        height,
        near_plane=convention.near,
        far_plane=convention.far,
        eps2d=convention.covariance_blur,
        tile_size=convention.tile,
        packed=False,
        render_mode="RGB+D",
    )
    return image[0, ..., :channels], alpha[0, ..., 0], image[0, ..., channels]
