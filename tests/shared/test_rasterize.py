from dataclasses import fields, replace

import gsplat_oracle
import pytest
import torch
from figures import capsule_figure, ring

from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Convention, Rendering, rasterize
from lca_shared.rendering.convention import GSPLAT_1_4, GSPLAT_1_5, GSPLAT_1_6
from lca_shared.rotations import quaternion_product, quaternion_to_matrix

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
    gaussians = capsule_figure(4, 8, seed=3, dtype=torch.float64)
    gaussians = replace(
        gaussians,
        means=gaussians.means * torch.tensor([0.3, 0.3, 0.1], dtype=torch.float64) + torch.tensor([0.0, 0.0, 0.8]),
        scales=gaussians.scales * 8,
        opacities=gaussians.opacities * 0.8,
    )
    cameras = ring(1, 8, dtype=torch.float64)
    background = torch.rand(3, dtype=torch.float64)

    def render(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = rasterize(Gaussians(*values[:5]), cameras, background=values[5], backend=backend, convention=GSPLAT_1_5)
        return out.colors, out.alpha, out.depth

    inputs = [getattr(gaussians, name).clone().requires_grad_() for name in NAMES] + [background.requires_grad_()]
    assert torch.autograd.gradcheck(render, inputs, eps=1e-6, atol=1e-5)


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
    with pytest.raises(RuntimeError, match=r"broadcast|Shape mismatch"):
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
