"""The rasterizer held to gsplat's own torch code, its conventions, and the call of its CUDA kernels."""

import sys
from dataclasses import replace

import gsplat_oracle
import pytest
import torch
from figures import capsule_figure, ring
from renders import CONVENTIONS, CPU_BACKENDS, NAMES, assert_same, differentiable, gradients

from lca_shared.errors import UserError
from lca_shared.rendering import Convention, Rendering, gsplat_backend, rasterize
from lca_shared.rendering.convention import GSPLAT_1_4, GSPLAT_1_5, GSPLAT_1_6

rasterize_module = sys.modules["lca_shared.rendering.rasterize"]  # the package exports a function of this name


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
