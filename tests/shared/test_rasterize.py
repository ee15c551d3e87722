import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from unittest import mock

import dense_splats
import gsplat_oracle
import pytest
import torch
from figures import capsule_figure, ring

from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Convention, Rendering, gsplat_backend, rasterize
from lca_shared.rendering.convention import GSPLAT_1_4, GSPLAT_1_5, GSPLAT_1_6
from lca_shared.rotations import quaternion_product, quaternion_to_matrix

rasterize_module = sys.modules["lca_shared.rendering.rasterize"]  # the package exports a function of this name

CPU_BACKENDS = ("numba", "torch")
CONVENTIONS = (GSPLAT_1_4, GSPLAT_1_5, GSPLAT_1_6)
NAMES = [field.name for field in fields(Gaussians)]


def differentiable(gaussians: Gaussians) -> Gaussians:
    return Gaussians(**{name: getattr(gaussians, name).clone().requires_grad_() for name in NAMES})


def gradients(rendering: Rendering, gaussians: Gaussians, seed: int = 0) -> dict[str, torch.Tensor]:
    """Gradients of a random linear function of all outputs."""
    generator = torch.Generator().manual_seed(seed)
    total = sum(
        (output * torch.randn(output.shape, generator=generator, dtype=torch.float64).to(output)).sum()
        for output in (rendering.colors, rendering.alpha, rendering.depth)
    )
    return dict(zip(NAMES, torch.autograd.grad(total, [getattr(gaussians, name) for name in NAMES])))


def assert_same(a: Rendering, b: Rendering, tolerance: float) -> None:
    for name in ("colors", "alpha", "depth"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), atol=tolerance, rtol=0, msg=name)


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


def _releases_known_to_the_oracle() -> Convention:
    import gsplat

    return Convention.of_gsplat(gsplat.__version__)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("size", [96, 75])
def test_agrees_with_gsplats_own_torch_code(backend: str, size: int) -> None:
    convention = _releases_known_to_the_oracle()
    gaussians = differentiable(capsule_figure(800, size, dtype=torch.float64))
    cameras = ring(2, size, dtype=torch.float64)
    background = torch.tensor([0.3, 0.1, 0.7], dtype=torch.float64)
    ours = rasterize(gaussians, cameras, background=background, backend=backend, convention=convention)
    theirs = Rendering(*gsplat_oracle.render(gaussians, cameras, convention, background))
    assert_same(ours, theirs, 1e-10)
    mine, reference = gradients(ours, gaussians), gradients(theirs, gaussians)
    for name in NAMES:
        scale = reference[name].abs().max()
        torch.testing.assert_close(mine[name] / scale, reference[name] / scale, atol=1e-9, rtol=0, msg=name)


def test_conventions_differ_where_gsplat_changed() -> None:
    cameras = ring(1, 96, dtype=torch.float64)
    figure = capsule_figure(300, 96, dtype=torch.float64)
    # Until 1.4 a Gaussian ends at the tiles within three deviations: up to 0.011 of its opacity is lost behind them.
    spheres = replace(figure, scales=figure.scales[:, :1].expand(-1, 3) * 4).select(torch.arange(30))
    first, second = (rasterize(spheres, cameras, backend="torch", convention=c).alpha for c in (GSPLAT_1_4, GSPLAT_1_5))
    assert 1e-3 < (first - second).abs().max() < 0.011
    # From 1.6 a pixel keeps at least a hundredth of what is behind a Gaussian.
    opaque = replace(figure.select(torch.arange(1)), opacities=torch.ones(1, dtype=torch.float64))
    for convention in CONVENTIONS:
        alpha = rasterize(opaque, cameras, backend="torch", convention=convention).alpha.max()
        assert alpha <= convention.max_alpha
    opaque = replace(opaque, scales=opaque.scales * 40)
    alphas = [rasterize(opaque, cameras, backend="torch", convention=c).alpha.max().item() for c in CONVENTIONS]
    assert alphas == pytest.approx([0.999, 0.999, 0.99], abs=1e-9)


def test_convention_of_releases() -> None:
    assert Convention.of_gsplat("1.4.0") == GSPLAT_1_4
    assert Convention.of_gsplat("1.5.3+pt24cu124") == GSPLAT_1_5
    assert Convention.of_gsplat("1.6.0") == GSPLAT_1_6
    with pytest.raises(ValueError, match="older"):
        Convention.of_gsplat("0.1.3")


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


def test_gsplat_is_called_as_its_own_torch_code_wants() -> None:
    """Without a GPU: gsplat's torch code stands in for its CUDA call, for several cameras and many channels."""
    convention = _releases_known_to_the_oracle()
    gaussians, cameras = capsule_figure(300, 40, dtype=torch.float64), ring(2, 40, dtype=torch.float64)
    gaussians = gaussians.with_colors(torch.rand(300, 5, dtype=torch.float64))
    with gsplat_oracle.instead_of_cuda(convention):
        image, alpha, depth = gsplat_backend.render_with_gsplat(
            gaussians, cameras.camera_from_world, cameras.intrinsics, 40, 40, convention
        )
        nothing = gaussians.select(torch.arange(0))
        empty = gsplat_backend.render_with_gsplat(
            nothing, cameras.camera_from_world, cameras.intrinsics, 40, 40, convention
        )
    ours = rasterize(gaussians, cameras, backend="torch", convention=convention)
    assert [part.shape for part in empty] == [image.shape, alpha.shape, depth.shape] and not empty[0].any()
    for theirs, mine in (
        (image.movedim(-1, -3), ours.colors),
        (alpha[:, None], ours.alpha),
        (depth[:, None], ours.depth * ours.alpha),
    ):
        assert theirs.dtype == torch.float64 and (theirs - mine).abs().quantile(0.999) < 1e-4
    with pytest.raises(ValueError, match="intrinsics"):
        gsplat_backend.render_with_gsplat(
            gaussians, cameras.camera_from_world, cameras.intrinsics.clone().requires_grad_(), 40, 40, convention
        )


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


def test_backend_that_cannot_run_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UserError, match="CUDA"):
        rasterize(capsule_figure(5, 16), ring(1, 16), backend="gsplat")


@pytest.mark.gpu
def test_gsplat_on_cuda_agrees_with_the_reference() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    gaussians, cameras = capsule_figure(4000, 128), ring(2, 128)
    on_gpu = differentiable(gaussians.to("cuda"))
    on_cpu = differentiable(gaussians)
    fast, slow = rasterize(on_gpu, cameras.to("cuda")), rasterize(on_cpu, cameras, backend="torch")
    assert (fast.colors.cpu() - slow.colors).abs().quantile(0.999) < 1e-3
    for name in NAMES:
        reference = gradients(slow, on_cpu)[name]
        difference = (gradients(fast, on_gpu)[name].cpu() - reference).abs().max() / reference.abs().max()
        assert difference < 1e-2, name
