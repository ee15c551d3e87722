"""Laws of the rasterizer, and both CPU backends held to each other."""

import sys
from dataclasses import replace

import dense_splats
import pytest
import torch
from figures import capsule_figure, ring
from renders import CONVENTIONS, CPU_BACKENDS, NAMES, assert_same, differentiable, gradients

from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Convention, Rendering, rasterize
from lca_shared.rendering.convention import GSPLAT_1_5, GSPLAT_1_6
from lca_shared.rotations import quaternion_product, quaternion_to_matrix

rasterize_module = sys.modules["lca_shared.rendering.rasterize"]  # the package exports a function of this name


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.name)
def test_numba_agrees_with_torch(convention: Convention) -> None:
    gaussians = differentiable(capsule_figure(1500, 100, dtype=torch.float64))
    cameras = ring(2, 100, dtype=torch.float64)
    background = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    renders = [
        rasterize(gaussians, cameras, background=background, backend=backend, convention=convention)
        for backend in CPU_BACKENDS
    ]
    assert renders[0].alpha.max() > 0.9
    assert_same(*renders, 1e-11)
    fast, slow = (gradients(render, gaussians) for render in renders)
    for name in NAMES:
        assert slow[name].abs().max() > 0
        torch.testing.assert_close(fast[name], slow[name], atol=1e-9, rtol=1e-9, msg=name)


def around_and_beyond(size: int) -> Gaussians:
    """A figure with Gaussians behind the camera, at its sides, far outside the picture, and large ones."""
    figure = capsule_figure(600, size, dtype=torch.float64)
    spread = torch.randn(600, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    factor = torch.ones(600, 1, dtype=torch.float64)
    factor[:150] = 12.0
    spread[300:] = 0
    return replace(figure, means=figure.means + 2 * spread, scales=figure.scales * factor)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.name)
def test_numba_agrees_with_torch_beyond_the_picture(convention: Convention) -> None:
    gaussians = differentiable(around_and_beyond(41))
    cameras = replace(ring(1, 41, dtype=torch.float64), height=29)
    fast, slow = (rasterize(gaussians, cameras, backend=b, convention=convention) for b in CPU_BACKENDS)
    assert_same(fast, slow, 1e-10)
    fast, slow = gradients(fast, gaussians), gradients(slow, gaussians)
    for name in NAMES:
        torch.testing.assert_close(fast[name], slow[name], atol=1e-9 * slow[name].abs().max().item(), rtol=0, msg=name)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("convention", [GSPLAT_1_5, GSPLAT_1_6], ids=lambda c: c.name)
def test_newer_rules_are_every_gaussian_at_every_pixel(backend: str, convention: Convention) -> None:
    gaussians, camera = around_and_beyond(40), ring(1, 40, dtype=torch.float64)[0]
    opaque = gaussians.opacities.clone()
    opaque[::3] = 1.0
    gaussians = replace(gaussians, opacities=opaque)
    ours = rasterize(gaussians, camera, backend=backend, convention=convention)
    colors, alpha, depth = dense_splats.render(gaussians, camera, {"1.5.3": 0.999, "1.6.0": 0.99}[convention.name[7:]])
    assert_same(ours, Rendering(colors, alpha[None], depth[None]), 1e-10)


def test_single_precision_agrees_with_double() -> None:
    double = capsule_figure(1500, 96, dtype=torch.float64)
    cameras = ring(1, 96, dtype=torch.float64)
    exact = rasterize(double, cameras, backend="torch")
    for backend in CPU_BACKENDS:
        single = rasterize(double.to(dtype=torch.float32), cameras.to(dtype=torch.float32), backend=backend)
        difference = (single.colors.double() - exact.colors).abs()
        # A Gaussian on the brink of a threshold may fall on the other side: one step of 1/255 in single pixels.
        assert difference.median() < 1e-6 and difference.quantile(0.999) < 1e-4 and difference.max() < 6e-3


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_gradcheck(backend: str) -> None:
    # Large and faint Gaussians: no pixel lies on the brink of a threshold, where the function has a step.
    gaussians = capsule_figure(3, 6, seed=3, dtype=torch.float64)
    gaussians = replace(
        gaussians,
        means=gaussians.means * torch.tensor([0.3, 0.3, 0.1], dtype=torch.float64) + torch.tensor([0.0, 0.0, 0.8]),
        scales=gaussians.scales * 8,
        opacities=gaussians.opacities * 0.8,
    )
    cameras = ring(1, 6, dtype=torch.float64)
    background = torch.rand(3, dtype=torch.float64)

    def render(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = rasterize(Gaussians(*values[:5]), cameras, background=values[5], backend=backend, convention=GSPLAT_1_5)
        return out.colors, out.alpha, out.depth

    inputs = [getattr(gaussians, name).clone().requires_grad_() for name in NAMES] + [background.requires_grad_()]
    assert torch.autograd.gradcheck(render, inputs, eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_gradients_reach_the_camera(backend: str) -> None:
    gaussians, cameras = capsule_figure(6, 10, dtype=torch.float64), ring(1, 10, dtype=torch.float64)[0]
    gaussians = replace(gaussians, scales=gaussians.scales * 8, opacities=gaussians.opacities * 0.8)

    def render(pose: torch.Tensor, intrinsics: torch.Tensor) -> torch.Tensor:
        moved = replace(cameras, camera_from_world=pose, intrinsics=intrinsics)
        return rasterize(gaussians, moved, backend=backend, convention=GSPLAT_1_5).colors.mean()

    inputs = (cameras.camera_from_world.clone(), cameras.intrinsics.clone())
    assert torch.autograd.gradcheck(render, [value.requires_grad_() for value in inputs], eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_moving_the_camera_is_moving_the_scene(backend: str) -> None:
    gaussians, cameras = capsule_figure(800, 64, dtype=torch.float64), ring(3, 64, dtype=torch.float64)
    turn = torch.nn.functional.normalize(torch.tensor([0.8, 0.1, -0.5, 0.3], dtype=torch.float64), dim=0)
    new_from_old = torch.eye(4, dtype=torch.float64)
    new_from_old[:3, :3], new_from_old[:3, 3] = quaternion_to_matrix(turn), torch.tensor([0.4, -1.0, 2.0])
    moved = replace(
        gaussians,
        means=gaussians.means @ new_from_old[:3, :3].T + new_from_old[:3, 3],
        quaternions=quaternion_product(turn.expand(800, 4), gaussians.quaternions),
    )
    still = rasterize(gaussians, cameras, backend=backend)
    assert_same(still, rasterize(moved, cameras.transformed(new_from_old), backend=backend), 1e-9)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_order_of_the_input_does_not_matter(backend: str) -> None:
    gaussians, cameras = capsule_figure(1000, 64), ring(1, 64)
    shuffled = gaussians.select(torch.randperm(1000, generator=torch.Generator().manual_seed(1)))
    assert_same(rasterize(gaussians, cameras, backend=backend), rasterize(shuffled, cameras, backend=backend), 1e-6)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_one_gaussian_has_the_closed_form(backend: str) -> None:
    size, focal, distance, deviation, opacity = 33, 40.0, 2.0, 0.1, 0.7
    color = torch.tensor([0.9, 0.4, 0.1], dtype=torch.float64)
    one = Gaussians(
        torch.tensor([[0.0, 0.0, distance]], dtype=torch.float64),
        torch.tensor([[1.0, 0, 0, 0]], dtype=torch.float64),
        torch.full((1, 3), deviation, dtype=torch.float64),
        torch.tensor([opacity], dtype=torch.float64),
        color[None],
    )
    camera = Cameras(torch.eye(4), pinhole_intrinsics(focal, size, size), size, size).to(dtype=torch.float64)
    render = rasterize(one, camera, backend=backend, convention=GSPLAT_1_5)
    offset = torch.arange(size, dtype=torch.float64) + 0.5 - size / 2
    variance = (focal * deviation / distance) ** 2 + GSPLAT_1_5.covariance_blur
    expected = opacity * torch.exp(-(offset[:, None] ** 2 + offset[None] ** 2) / (2 * variance))
    expected = torch.where(expected >= GSPLAT_1_5.min_alpha, expected, 0)
    torch.testing.assert_close(render.alpha[0], expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(render.colors, color[:, None, None] * expected, atol=1e-12, rtol=0)
    seen = expected > 0
    torch.testing.assert_close(render.depth[0][seen], torch.full_like(expected, distance)[seen])
