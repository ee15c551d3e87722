"""One function that renders Gaussians, whatever the machine."""

from dataclasses import dataclass, fields
from typing import Literal

import torch

from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.rendering.convention import Convention
from lca_shared.tensors import Float, Tensor

Backend = Literal["auto", "gsplat", "numba", "torch"]


@dataclass(frozen=True)
class Rendering:
    """Pictures of Gaussians."""

    colors: Float[Tensor, "*batch channels height width"]
    """The Gaussians' channels, blended, over the background (black without one)."""
    alpha: Float[Tensor, "*batch 1 height width"]
    """0 = nothing there, 1 = opaque."""
    depth: Float[Tensor, "*batch 1 height width"]
    """Expected depth along the optical axis, metres; 0 where nothing is."""


def rasterize(
    gaussians: Gaussians,
    cameras: Cameras,
    *,
    background: Float[Tensor, "channels"] | None = None,
    backend: Backend = "auto",
    convention: Convention | None = None,
) -> Rendering:
    """Render Gaussians into cameras; differentiable in all the Gaussians' fields and the background.

    Args:
        gaussians: batch axes ``[*g]``.
        cameras: batch axes ``[*c]``; ``*g`` and ``*c`` broadcast against each other, one picture per element.
        background: one value per channel behind everything; black if not given.
        backend: ``auto`` takes gsplat for tensors on CUDA and Numba on a CPU.
        convention: numerical rules; the installed gsplat's if not given.

    Raises:
        UserError: the backend cannot run on the tensors' device.
        ValueError: the batch axes do not broadcast, or the background has another number of channels.
    """
    convention = Convention.installed() if convention is None else convention
    chosen = _chosen(backend, gaussians.means.device)
    batch = torch.broadcast_shapes(gaussians.batch_shape, cameras.batch_shape)
    channels = gaussians.colors.shape[-1]
    if background is not None and background.shape != (channels,):
        raise ValueError(f"background has {tuple(background.shape)} values for {channels} channels")
    flat_gaussians = _flat_gaussians(gaussians, batch)
    poses = cameras.camera_from_world.to(gaussians.means).expand(*batch, 4, 4).reshape(-1, 4, 4)
    intrinsics = cameras.intrinsics.to(gaussians.means).expand(*batch, 3, 3).reshape(-1, 3, 3)
    pictures = [
        _render_one(element, pose, k, cameras.width, cameras.height, chosen, convention)
        for element, pose, k in zip(flat_gaussians, poses, intrinsics, strict=True)
    ]
    if not pictures:
        empty = gaussians.means.new_zeros(*batch, channels + 2, cameras.height, cameras.width)
        return Rendering(empty[..., :channels, :, :], empty[..., :1, :, :], empty[..., :1, :, :])
    image, alpha, depth = (torch.stack(parts).unflatten(0, batch or (1,)) for parts in zip(*pictures))
    if not batch:
        image, alpha, depth = image[0], alpha[0], depth[0]
    if background is not None:
        image = image + (1 - alpha)[..., None] * background
    depth = depth / alpha.clamp(min=1e-10)
    return Rendering(image.movedim(-1, -3), alpha.unsqueeze(-3), depth.unsqueeze(-3))


def _chosen(backend: Backend, device: torch.device) -> str:
    if backend == "auto":
        return "gsplat" if device.type == "cuda" else "numba"
    if backend == "numba" and device.type != "cpu":
        raise UserError(f"The numba backend needs tensors on the CPU, not on {device}.")
    return backend


def _flat_gaussians(gaussians: Gaussians, batch: torch.Size) -> list[Gaussians]:
    """The elements of the broadcast batch, in order, without copying."""
    if not batch:
        return [gaussians]
    count = gaussians.batch_shape.numel()
    index = torch.arange(count).reshape(gaussians.batch_shape).expand(batch).flatten()
    flat = Gaussians(
        **{
            f.name: (value := getattr(gaussians, f.name)).reshape(count, *value.shape[len(gaussians.batch_shape) :])
            for f in fields(gaussians)
        }
    )
    return [flat[i] for i in index.tolist()]


def _render_one(
    gaussians: Gaussians,
    camera_from_world: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    backend: str,
    convention: Convention,
) -> tuple[Tensor, Tensor, Tensor]:
    """[height, width, channels] over black, alpha [height, width], alpha-weighted depth [height, width]."""
    if backend == "gsplat":
        from lca_shared.rendering import gsplat_backend

        return gsplat_backend.render(gaussians, camera_from_world, intrinsics, width, height, convention)
    # Imported late: Numba takes a second that those who render on a GPU need not wait.
    if backend == "numba":
        from lca_shared.rendering.numba_backend import composite
    else:
        from lca_shared.rendering.torch_backend import composite
    from lca_shared.rendering.projection import project_gaussians

    projected = project_gaussians(gaussians, camera_from_world, intrinsics, width, height, convention)
    channels = torch.cat([gaussians.colors[projected.index], projected.depths[:, None]], dim=-1)
    image, alpha = composite(projected, channels, width, height, convention)
    return image[..., :-1], alpha, image[..., -1]
