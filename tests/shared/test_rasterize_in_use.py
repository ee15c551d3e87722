"""The rasterizer in use: batches, channels, threads, precisions, broken input."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from figures import capsule_figure, ring
from renders import CPU_BACKENDS, NAMES, differentiable, gradients

from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize

rasterize_module = sys.modules["lca_shared.rendering.rasterize"]  # the package exports a function of this name


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("count", [0, 7])
def test_nothing_visible(backend: str, count: int) -> None:
    gaussians = capsule_figure(8, 32)
    behind = replace(gaussians, means=gaussians.means + torch.tensor([0.0, 0.0, 500.0])).select(torch.arange(count))
    behind = differentiable(behind)
    background = torch.tensor([0.1, 0.2, 0.3])
    render = rasterize(behind, ring(2, 32), background=background, backend=backend)
    assert (render.alpha == 0).all() and (render.depth == 0).all()
    torch.testing.assert_close(render.colors, background[:, None, None].expand(2, 3, 32, 32))
    for gradient in gradients(render, behind).values():
        assert gradient.isfinite().all() and (gradient == 0).all()


def test_batch_axes_broadcast() -> None:
    people = [capsule_figure(200, 32, seed=seed) for seed in range(2)]
    batch = Gaussians(*(torch.stack([getattr(p, name) for p in people])[:, None] for name in NAMES))
    cameras = ring(3, 32)
    render = rasterize(batch, cameras)
    assert render.colors.shape == (2, 3, 3, 32, 32) and render.alpha.shape == render.depth.shape == (2, 3, 1, 32, 32)
    for person in range(2):
        for camera in range(3):
            alone = rasterize(people[person], cameras[camera])
            torch.testing.assert_close(render.colors[person, camera], alone.colors, atol=0, rtol=0)
    with pytest.raises(ValueError, match="broadcast"):
        rasterize(Gaussians(*(getattr(batch, name)[:, 0] for name in NAMES)), cameras)


@pytest.mark.parametrize("channels", [1, 7])
def test_any_number_of_channels(channels: int) -> None:
    gaussians, cameras = capsule_figure(300, 48), ring(1, 48)
    values = torch.rand(300, channels, generator=torch.Generator().manual_seed(0))
    whole = rasterize(gaussians.with_colors(values), cameras).colors
    for channel in range(channels):
        single = rasterize(gaussians.with_colors(values[:, channel, None]), cameras).colors
        torch.testing.assert_close(whole[:, channel, None], single, atol=0, rtol=0)


def test_numba_gives_the_same_bits_every_time() -> None:
    gaussians, cameras = differentiable(capsule_figure(4000, 128)), ring(1, 128)
    runs = [rasterize(gaussians, cameras) for _ in range(3)]
    grads = [gradients(run, gaussians) for run in runs]
    for run, grad in zip(runs[1:], grads[1:]):
        assert torch.equal(run.colors, runs[0].colors)
        assert all(torch.equal(grad[name], grads[0][name]) for name in NAMES)


def test_kernels_use_as_many_threads_as_torch() -> None:
    """In a process of its own: Numba's start would otherwise set torch's number of threads."""
    code = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from figures import capsule_figure, ring
torch.set_num_threads(1)
from lca_shared.rendering import rasterize
rasterize(capsule_figure(5, 8), ring(1, 8))
import numba
print(torch.get_num_threads(), numba.get_num_threads())
"""
    support = str(Path(__file__).resolve().parents[1] / "support")
    done = subprocess.run([sys.executable, "-c", code, support], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_threads_may_render_at_once() -> None:
    gaussians, cameras = capsule_figure(2000, 64), ring(1, 64)
    alone = rasterize(gaussians, cameras).colors
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: rasterize(gaussians, cameras).colors, range(8)))
    assert all(torch.equal(picture, alone) for picture in together)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_broken_gaussians_are_left_out(backend: str) -> None:
    good, cameras = capsule_figure(50, 32), ring(1, 32)
    broken = differentiable(Gaussians(*(torch.cat([getattr(good, n), getattr(good, n)[:6]]) for n in NAMES)))
    with torch.no_grad():
        broken.means[50, 1] = torch.nan
        broken.quaternions[51] = torch.nan
        broken.scales[52, 2] = torch.inf
        broken.opacities[53] = torch.nan
        broken.opacities[54] = 0.0
        broken.means[55] = torch.inf
    render = rasterize(broken, cameras, backend=backend)
    torch.testing.assert_close(render.colors, rasterize(good, cameras, backend=backend).colors, atol=1e-6, rtol=0)
    for name, gradient in gradients(render, broken).items():
        assert gradient.isfinite().all() and (gradient[50:] == 0).all(), name


def test_half_precision_and_autocast_render_in_single_precision() -> None:
    gaussians, cameras = capsule_figure(200, 32), ring(1, 32)
    plain = rasterize(gaussians, cameras)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rasterize(gaussians, cameras).colors, plain.colors)
    half = rasterize(gaussians.to(dtype=torch.bfloat16), cameras)
    assert half.colors.dtype == torch.float32 and (half.alpha - plain.alpha).abs().mean() < 0.05


def test_a_change_in_place_before_the_backward_pass_is_refused() -> None:
    gaussians = differentiable(capsule_figure(20, 16))
    total = rasterize(gaussians, ring(1, 16)).colors.sum()
    with torch.no_grad():
        gaussians.means.add_(1.0)
    with pytest.raises(RuntimeError, match="inplace"):
        total.backward()


def test_pictures_of_one_person_are_rendered_together() -> None:
    """Gaussians [2, 1] and cameras [3] or [1, 3] or [2, 3]: two calls of the backend, pictures in the batch's order."""
    people = [capsule_figure(60, 24, seed=seed) for seed in range(2)]
    batch = Gaussians(*(torch.stack([getattr(p, name) for p in people]) for name in NAMES))
    cameras = ring(2, 24)
    swapped = Cameras(cameras.camera_from_world[:, None], cameras.intrinsics[:, None], 24, 24)
    with mock.patch.object(rasterize_module, "_render_cameras", wraps=rasterize_module._render_cameras) as spy:
        crossed = rasterize(batch, swapped)  # [2 people] and [2 cameras, 1]: pictures [camera, person]
        assert spy.call_count == 2
    for camera in range(2):
        for person in range(2):
            alone = rasterize(people[person], cameras[camera])
            assert torch.equal(crossed.colors[camera, person], alone.colors)
