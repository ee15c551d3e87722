"""The CPU rasterizer: Numba kernels as autograd functions. float32 and float64; the same bits on every run.

Do not render in a forked process whose parent has rendered: GNU OpenMP does not survive a fork (use spawn).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch.autograd.function import once_differentiable

from lca_shared.gaussians import Gaussians
from lca_shared.rendering import numba_kernels, numba_projection
from lca_shared.rendering.convention import Convention
from lca_shared.rendering.projection import ProjectedGaussians, project_gaussians
from lca_shared.tensors import Float, Tensor

_LOCK = threading.Lock()


@contextmanager
def _kernels() -> Iterator[None]:
    """Run kernels on as many threads as torch uses, one caller at a time.

    Numba's `workqueue` threading layer dies when two threads enter parallel kernels at once.
    """
    with _LOCK:
        threads = torch.get_num_threads()
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        if torch.get_num_threads() != threads:  # Numba's first start sets the number of OpenMP's threads for torch too
            torch.set_num_threads(threads)
        yield


def render(
    gaussians: Gaussians,
    camera_from_world: Float[Tensor, "4 4"],
    intrinsics: Float[Tensor, "3 3"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Float[Tensor, "height width channels"], Float[Tensor, "height width"], Float[Tensor, "height width"]]:
    """Blended channels over black, alpha, and alpha-weighted depth (metres, not divided by alpha).

    Gradients to the camera, where it asks for them, come from the projection in torch, which is slower.
    """
    if torch.is_grad_enabled() and (camera_from_world.requires_grad or intrinsics.requires_grad):
        projected = project_gaussians(gaussians, camera_from_world, intrinsics, width, height, convention)
        return composite(projected, gaussians.colors[projected.index], width, height, convention)
    return _Render.apply(
        gaussians.means,
        gaussians.quaternions,
        gaussians.scales,
        gaussians.opacities,
        gaussians.colors,
        camera_numbers(camera_from_world, intrinsics),
        width,
        height,
        convention,
    )


def composite(
    projected: ProjectedGaussians,
    colors: Float[Tensor, "visible channels"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Float[Tensor, "height width channels"], Float[Tensor, "height width"], Float[Tensor, "height width"]]:
    """Blend front to back, as :func:`lca_shared.rendering.torch_backend.composite` does."""
    splats = (projected.means, projected.conics, colors, projected.depths, projected.opacities)
    return _Composite.apply(*splats, projected.rectangles, width, height, convention)


class _Blended(NamedTuple):
    """What the backward pass needs of a forward pass."""

    geometry: tuple
    transmittance: np.ndarray
    last: np.ndarray


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy())


def camera_numbers(camera_from_world: Tensor, intrinsics: Tensor) -> np.ndarray:
    """[16] as the kernels read a camera."""
    pose, k = _array(camera_from_world), _array(intrinsics)
    return np.concatenate([pose[:3, :3].ravel(), pose[:3, 3], [k[0, 0], k[1, 1], k[0, 2], k[1, 2]]]).astype(pose.dtype)


def _blend(splats: tuple, width: int, height: int, convention: Convention) -> tuple[tuple[Tensor, ...], _Blended]:
    """Centres, conics, colours, depths, opacities, rectangles, nearest first, into pictures."""
    number = splats[0].dtype.type
    tile = convention.tile
    columns, rows = -(-width // tile), -(-height // tile)
    starts, members = numba_kernels.bin_into_tiles(splats[5], tile, columns, rows)
    limits = (number(convention.max_alpha), number(convention.min_alpha))
    geometry = (*splats, starts, members, width, height, tile, columns, *limits)
    image, depth, transmittance, last = numba_kernels.forward(*geometry, number(convention.min_transmittance))
    pictures = (torch.from_numpy(image), torch.from_numpy(1 - transmittance), torch.from_numpy(depth))
    return pictures, _Blended(geometry, transmittance, last)


def _blend_backward(blended: _Blended, gradients: tuple[Tensor, ...]) -> np.ndarray:
    """[visible, 7 + channels]: centre x, y; conic xx, xy, yy; opacity; depth; channels."""
    grad_image, grad_alpha, grad_depth = (_array(gradient) for gradient in gradients)
    pairs = numba_kernels.backward(
        *blended.geometry, blended.transmittance, blended.last, grad_image, grad_depth, grad_alpha
    )
    members = blended.geometry[7]
    return numba_kernels.sum_over_tiles(pairs, members, len(blended.geometry[0]))


class _Composite(torch.autograd.Function):
    """Blending alone."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        *splats, width, height, convention = inputs
        with _kernels():
            pictures, ctx.blended = _blend(tuple(_array(t) for t in splats), width, height, convention)
        return pictures

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with _kernels():
            total = torch.from_numpy(_blend_backward(ctx.blended, gradients))
        return total[:, :2], total[:, 2:5], total[:, 7:], total[:, 6], total[:, 5], None, None, None, None


class _Render(torch.autograd.Function):
    """Projection and blending; nothing flows to the camera."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        *tensors, camera, width, height, convention = inputs
        ctx.save_for_backward(*tensors)  # refuses the backward pass if one was changed in place meanwhile
        means, quaternions, scales, opacities, colors = (_array(t) for t in tensors)
        numbers = (convention.near, convention.far, convention.covariance_blur, convention.frustum_margin)
        rules = np.array([*numbers, convention.min_alpha], means.dtype)
        with _kernels():
            splats, rectangles = numba_projection.project(
                means, quaternions, scales, opacities, camera, rules, convention.isotropic_radius, convention.tile,
                width, height,
            )  # fmt: skip
            index = numba_projection.nearest_first(splats, rectangles)
            chosen = numba_projection.gather(index, splats, rectangles, opacities, colors)
            pictures, blended = _blend(chosen, width, height, convention)
        ctx.kept = (index, camera, rules, width, height, blended)
        return pictures

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        index, camera, rules, width, height, blended = ctx.kept
        means, quaternions, scales, opacities, colors = (_array(t) for t in ctx.saved_tensors)
        results = [np.zeros_like(array) for array in (means, quaternions, scales, opacities, colors)]
        with _kernels():
            total = _blend_backward(blended, gradients)
            numba_projection.project_backward(
                index, total, means, quaternions, scales, camera, rules, width, height, *results
            )
        return *(torch.from_numpy(array) for array in results), None, None, None, None
