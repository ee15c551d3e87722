"""gsplat on CUDA: all cameras of one set of Gaussians in one call; the rules are those of the installed release."""

import torch

from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.rendering.convention import Convention
from lca_shared.tensors import Float, Tensor


def render(
    gaussians: Gaussians,
    camera_from_world: Float[Tensor, "cameras 4 4"],
    intrinsics: Float[Tensor, "cameras 3 3"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[
    Float[Tensor, "cameras height width channels"],
    Float[Tensor, "cameras height width"],
    Float[Tensor, "cameras height width"],
]:
    """Blended channels over black, alpha, and alpha-weighted depth (metres, not divided by alpha).

    gsplat computes in single precision; double precision is converted on the way in and out.

    Raises:
        UserError: there is no CUDA device, the tensors are not on it, or the convention is not the installed gsplat's.
        ValueError: intrinsics ask for gradients, which gsplat does not give.
    """
    if not torch.cuda.is_available() or not gaussians.means.is_cuda:
        raise UserError("The gsplat backend needs tensors on a CUDA device; on a CPU choose the backend `numba`.")
    if convention != Convention.installed():
        raise UserError(
            f"The installed gsplat follows {Convention.installed().name}, not {convention.name}: "
            "install that release, or choose the backend `torch`."
        )
    return render_with_gsplat(gaussians, camera_from_world, intrinsics, width, height, convention)


def render_with_gsplat(
    gaussians: Gaussians,
    camera_from_world: Float[Tensor, "cameras 4 4"],
    intrinsics: Float[Tensor, "cameras 3 3"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`render` without its checks of the device: the call that gsplat gets."""
    if torch.is_grad_enabled() and intrinsics.requires_grad:
        raise ValueError("gsplat gives no gradients to intrinsics; choose the backend `torch`")
    from gsplat import rasterization  # imported late: its first call builds CUDA code

    dtype, channels = gaussians.means.dtype, gaussians.colors.shape[-1]
    if gaussians.count == 0:  # nothing to launch a kernel on
        black = gaussians.colors.sum() + torch.zeros(len(intrinsics), height, width, dtype=dtype).to(gaussians.means)
        return black[..., None].expand(*black.shape, channels), black, black
    single = gaussians.to(dtype=torch.float32)
    image, alpha, _ = rasterization(
        single.means,
        single.quaternions,
        single.scales,
        single.opacities,
        single.colors,
        camera_from_world.float(),
        intrinsics.float(),
        width,
        height,
        near_plane=convention.near,
        far_plane=convention.far,
        eps2d=convention.covariance_blur,
        tile_size=convention.tile,
        packed=False,
        render_mode="RGB+D",
    )
    return image[..., :channels].to(dtype), alpha[..., 0].to(dtype), image[..., channels].to(dtype)
