"""One function that renders Gaussians, whatever the machine."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
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

    Gradients to the cameras flow too, but in the gsplat backend not to intrinsics, which it refuses. Skew is not used.
    Computed in the precision of the means; in float32 if that is a half precision, also under autocast.

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
    device = gaussians.means.device
    chosen = _chosen(backend, device)
    batch = _broadcast(gaussians.batch_shape, cameras.batch_shape)
    channels = gaussians.colors.shape[-1]
    if background is not None and background.shape != (channels,):
        raise ValueError(f"background has {tuple(background.shape)} values for {channels} channels")
    dtype = torch.float64 if gaussians.means.dtype == torch.float64 else torch.float32
    with torch.autocast(device.type, enabled=False):
        image, alpha, depth = _render_flat(
            gaussians.to(dtype=dtype), cameras.to(device=device, dtype=dtype), batch, chosen, convention
        )
        if background is not None:
            image = image + (1 - alpha)[..., None] * background.to(image)
        depth = depth / alpha.clamp(min=1e-10)
    image, alpha, depth = (part.reshape(*batch, *part.shape[1:]) for part in (image, alpha, depth))
    return Rendering(image.movedim(-1, -3), alpha.unsqueeze(-3), depth.unsqueeze(-3))


def _chosen(backend: Backend, device: torch.device) -> str:
    if backend == "auto":
        return "gsplat" if device.type == "cuda" else "numba"
    if backend == "numba" and device.type != "cpu":
        raise UserError(f"The numba backend needs tensors on the CPU, not on {device}.")
    return backend


def _broadcast(gaussians: torch.Size, cameras: torch.Size) -> torch.Size:
    try:  # numpy's: torch.broadcast_shapes imports sympy, which takes about as long as torch itself
        return torch.Size(np.broadcast_shapes(gaussians, cameras))
    except ValueError as error:
        raise ValueError(
            f"batch axes of Gaussians {tuple(gaussians)} and cameras {tuple(cameras)} do not broadcast"
        ) from error


def _render_flat(
    gaussians: Gaussians, cameras: Cameras, batch: torch.Size, backend: str, convention: Convention
) -> tuple[Tensor, Tensor, Tensor]:
    """[pictures, h, w, channels] over black, alpha and alpha-weighted depth [pictures, h, w], in the batch's order."""
    poses = cameras.camera_from_world.expand(*batch, 4, 4).reshape(-1, 4, 4)
    intrinsics = cameras.intrinsics.expand(*batch, 3, 3).reshape(-1, 3, 3)
    count = gaussians.batch_shape.numel()
    axes = len(gaussians.batch_shape)
    flat = Gaussians(
        **{f.name: (value := getattr(gaussians, f.name)).reshape(count, *value.shape[axes:]) for f in fields(gaussians)}
    )
    # The pictures of one element of the Gaussians' batch are rendered together, which gsplat does in one call.
    of_picture = torch.arange(count).reshape(gaussians.batch_shape).expand(batch).flatten()
    parts, order = [], []
    for element in range(count):
        mine = (of_picture == element).nonzero()[:, 0]
        if len(mine):
            where = mine.to(poses.device)
            size = (cameras.width, cameras.height)
            parts.append(_render_cameras(flat[element], poses[where], intrinsics[where], *size, backend, convention))
            order.append(mine)
    if not parts:
        empty = flat.means.new_zeros(0, cameras.height, cameras.width)
        return empty[..., None].expand(-1, -1, -1, flat.colors.shape[-1]), empty, empty
    whole = parts[0] if len(parts) == 1 else tuple(torch.cat(part) for part in zip(*parts))
    position = torch.cat(order)
    if not torch.equal(position, torch.arange(len(position))):
        back = torch.argsort(position).to(poses.device)
        whole = tuple(part[back] for part in whole)
    return whole[0], whole[1], whole[2]


def _render_cameras(
    gaussians: Gaussians,
    poses: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    backend: str,
    convention: Convention,
) -> tuple[Tensor, ...]:
    """One element of the Gaussians' batch into its cameras."""
    # Imported late: Numba takes a second that those who render on a GPU need not wait.
    if backend == "gsplat":
        from lca_shared.rendering import gsplat_backend

        return gsplat_backend.render(gaussians, poses, intrinsics, width, height, convention)
    if backend == "numba":
        from lca_shared.rendering.numba_backend import render
    else:
        from lca_shared.rendering.torch_backend import render
    pictures = [render(gaussians, pose, k, width, height, convention) for pose, k in zip(poses, intrinsics)]
    if len(pictures) == 1:  # no copy
        return tuple(part[None] for part in pictures[0])
    return tuple(torch.stack(part) for part in zip(*pictures))
