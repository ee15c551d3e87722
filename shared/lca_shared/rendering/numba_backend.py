"""The CPU rasterizer: Numba kernels as an autograd function. float32 and float64; the same bits on every run."""

import threading
from typing import Any

import numpy as np
import torch

from lca_shared.rendering import numba_kernels
from lca_shared.rendering.convention import Convention
from lca_shared.rendering.projection import ProjectedGaussians
from lca_shared.tensors import Float, Tensor

_ONE_AT_A_TIME = threading.Lock()
"""Numba's `workqueue` threading layer dies when two threads enter parallel kernels at once."""


def composite(
    projected: ProjectedGaussians,
    channels: Float[Tensor, "visible channels"],
    width: int,
    height: int,
    convention: Convention,
) -> tuple[Float[Tensor, "height width channels"], Float[Tensor, "height width"]]:
    """Blend front to back, as :func:`lca_shared.rendering.torch_backend.composite` does.

    Do not call it in a forked process whose parent has: GNU OpenMP does not survive a fork (use spawn).
    """
    return _Composite.apply(
        projected.means,
        projected.conics,
        channels,
        projected.opacities,
        projected.rectangles,
        width,
        height,
        convention,
    )


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        conics: Tensor,
        channels: Tensor,
        opacities: Tensor,
        rectangles: Tensor,
        width: int,
        height: int,
        convention: Convention,
    ) -> tuple[Tensor, Tensor]:
        arrays = [np.ascontiguousarray(t.detach().numpy()) for t in (means, conics, channels, opacities, rectangles)]
        number = arrays[0].dtype.type
        tile = convention.tile
        columns, rows = -(-width // tile), -(-height // tile)
        limits = (number(convention.max_alpha), number(convention.min_alpha))
        with _ONE_AT_A_TIME:
            starts, members = numba_kernels.bin_into_tiles(arrays[4], tile, columns, rows)
            geometry = (*arrays, starts, members, width, height, tile, columns, *limits)
            image, transmittance, last = numba_kernels.forward(*geometry, number(convention.min_transmittance))
        ctx.kept = (geometry, transmittance, last)
        return torch.from_numpy(image), torch.from_numpy(1 - transmittance)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        geometry, transmittance, last = ctx.kept
        grad_image, grad_alpha = (np.ascontiguousarray(g.numpy()) for g in gradients)
        with _ONE_AT_A_TIME:
            pairs = numba_kernels.backward(*geometry, transmittance, last, grad_image, grad_alpha)
            total = torch.from_numpy(numba_kernels.sum_over_tiles(pairs, geometry[6], len(geometry[0])))
        return total[:, :2], total[:, 2:5], total[:, 6:], total[:, 5], None, None, None, None
