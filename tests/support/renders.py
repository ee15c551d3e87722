"""Renders in tests: inputs with gradients, gradients of all outputs, and equality of all outputs."""

from dataclasses import fields

import torch

from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Rendering
from lca_shared.rendering.convention import GSPLAT_1_4, GSPLAT_1_5, GSPLAT_1_6

CPU_BACKENDS = ("numba", "torch")
CONVENTIONS = (GSPLAT_1_4, GSPLAT_1_5, GSPLAT_1_6)
NAMES = [field.name for field in fields(Gaussians)]


def differentiable(gaussians: Gaussians) -> Gaussians:
    return Gaussians(**{name: getattr(gaussians, name).clone().requires_grad_() for name in NAMES})


def gradients(rendering: Rendering, gaussians: Gaussians, seed: int = 0) -> dict[str, torch.Tensor]:
    """Gradients of a random linear function of all outputs."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.stack(
        [
            (output * torch.randn(output.shape, generator=generator, dtype=torch.float64).to(output)).sum()
            for output in (rendering.colors, rendering.alpha, rendering.depth)
        ]
    ).sum()
    return dict(zip(NAMES, torch.autograd.grad(total, [getattr(gaussians, name) for name in NAMES])))


def assert_same(a: Rendering, b: Rendering, tolerance: float) -> None:
    for name in ("colors", "alpha", "depth"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), atol=tolerance, rtol=0, msg=name)
