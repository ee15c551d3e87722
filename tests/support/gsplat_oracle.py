"""gsplat's own torch rasterizer (``gsplat.rendering._rasterization``) on a CPU.

Two leaves of it need CUDA and are given in torch here: listing which Gaussians a pixel blends, and nerfacc's weights
and sums along a ray. Projection, binning and the blending formula are gsplat's. Another release than the installed one
can be tried: unpack its wheel, name the folder in ``GSPLAT_ORACLE``, and run the tests in a fresh process.
"""

import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor

from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Convention

if os.environ.get("GSPLAT_ORACLE"):
    sys.path.insert(0, os.environ["GSPLAT_ORACLE"])


def _weights(alphas: Tensor, *, ray_indices: Tensor, n_rays: int) -> tuple[Tensor, Tensor]:
    """``nerfacc.render_weight_from_alpha`` for samples sorted by ray."""
    starts = torch.ones_like(ray_indices, dtype=torch.bool)
    starts[1:] = ray_indices[1:] != ray_indices[:-1]
    ray = starts.cumsum(0) - 1
    counts = torch.bincount(ray)
    place = torch.arange(len(ray)) - (counts.cumsum(0) - counts)[ray]
    dense = alphas.new_zeros(len(counts), int(counts.max())).index_put((ray, place), alphas)
    before = torch.cumprod(torch.cat([torch.ones_like(dense[:, :1]), 1 - dense[:, :-1]], dim=1), dim=1)[ray, place]
    return alphas * before, before


def _accumulate(weights: Tensor, values: Tensor | None, ray_indices: Tensor, n_rays: int) -> Tensor:
    """``nerfacc.accumulate_along_rays``."""
    summed = weights[:, None] if values is None else weights[:, None] * values
    return summed.new_zeros(n_rays, summed.shape[1]).index_add(0, ray_indices, summed)


def _listing(convention: Convention):
    """``rasterize_to_indices_in_range`` for all Gaussians at once."""

    @torch.no_grad()
    def listing(first, _last, _transmittances, means, conics, opacities, width, height, tile, offsets, flat):
        assert first == 0, "the oracle lists everything in one go"
        means, conics, opacities = means.reshape(-1, 2), conics.reshape(-1, 3), opacities.reshape(-1)
        count = means.shape[0] // offsets.shape[0]
        rows, columns = offsets.shape[-2:]
        bounds = torch.cat([offsets.flatten().long(), torch.tensor([len(flat)])])
        gaussians, pixels, images = [], [], []
        for index in range(len(bounds) - 1):
            members = flat[bounds[index] : bounds[index + 1]].long()
            image, place = divmod(index, rows * columns)
            x0, y0 = place % columns * tile, place // columns * tile
            y, x = (
                grid.flatten()
                for grid in torch.meshgrid(
                    torch.arange(y0, min(y0 + tile, height)), torch.arange(x0, min(x0 + tile, width)), indexing="ij"
                )
            )
            delta = means[members][None] - torch.stack([x, y], dim=-1)[:, None].to(means.dtype) - 0.5
            xx, xy, yy = conics[members].unbind(-1)
            sigma = 0.5 * (xx * delta[..., 0] ** 2 + yy * delta[..., 1] ** 2) + xy * delta[..., 0] * delta[..., 1]
            alpha = torch.clamp(opacities[members] * torch.exp(-sigma), max=convention.max_alpha)
            hit = (sigma >= 0) & (alpha >= convention.min_alpha)
            through = torch.cumprod(1 - alpha * hit, dim=1)
            pixel, member = torch.nonzero(hit & (through > convention.min_transmittance), as_tuple=True)
            gaussians.append(members[member] % count)
            pixels.append((y * width + x)[pixel])
            images.append(torch.full_like(pixel, image))
        gaussian, pixel, image = torch.cat(gaussians), torch.cat(pixels), torch.cat(images)
        order = torch.sort(image * width * height + pixel, stable=True).indices
        return gaussian[order], pixel[order], image[order]

    return listing


@contextmanager
def _leaves(convention: Convention) -> Iterator[None]:
    import gsplat.cuda._torch_impl as torch_code
    import gsplat.cuda._wrapper as wrapper
    import gsplat.rendering as rendering

    nerfacc = types.SimpleNamespace(render_weight_from_alpha=_weights, accumulate_along_rays=_accumulate)

    def tiles(means2d, radii, depths, size, width, height, **_):
        return torch_code._isect_tiles(means2d, radii, depths, size, width, height)

    with (
        mock.patch.dict(sys.modules, nerfacc=nerfacc),
        mock.patch.object(wrapper, "rasterize_to_indices_in_range", _listing(convention)),
        mock.patch.object(rendering, "isect_tiles", tiles),
        mock.patch.object(rendering, "isect_offset_encode", torch_code._isect_offset_encode),
    ):
        yield


def render(
    gaussians: Gaussians, cameras: Cameras, convention: Convention, background: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [cameras, 3, h, w], alpha and expected depth [cameras, 1, h, w] by gsplat's torch code."""
    from gsplat.rendering import _rasterization

    with _leaves(convention):
        image, alpha, _ = _rasterization(
            gaussians.means,
            gaussians.quaternions,
            gaussians.scales,
            gaussians.opacities,
            gaussians.colors,
            cameras.camera_from_world,
            cameras.intrinsics,
            cameras.width,
            cameras.height,
            tile_size=convention.tile,
            backgrounds=None if background is None else background.expand(len(cameras.intrinsics), -1),
            render_mode="RGB+ED",
            batch_per_iter=10**9,
        )
    return image[..., :3].movedim(-1, -3), alpha.movedim(-1, -3), image[..., 3:].movedim(-1, -3)


@contextmanager
def instead_of_cuda(convention: Convention) -> Iterator[None]:
    """``gsplat.rasterization`` is gsplat's torch code, with what both take."""
    import gsplat
    from gsplat.rendering import _rasterization

    def rasterization(*arguments, packed, **named):
        return _rasterization(*arguments, **named, batch_per_iter=10**9)

    with _leaves(convention), mock.patch.object(gsplat, "rasterization", rasterization):
        yield
