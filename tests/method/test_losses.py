"""Closed forms, gradients in float64, and what must not count."""

from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
import torch

from lca_method.batch import DrivingSignal, TargetViews
from lca_method.losses import LossConfig, total
from lca_method.losses.photometric import PERSON, alpha_loss, l1, l1_on_person, lpips_loss, prepare
from lca_method.losses.registry import ALPHA, POSITION, SCALE
from lca_method.networks.subject import SubjectCode
from lca_shared.body import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.perceptual import load_lpips
from lca_shared.rendering import Rendering

BACKGROUND = torch.ones(3)


def targets_of(*batch: int, side: int = 32) -> TargetViews:
    torch.manual_seed(0)
    masks = torch.zeros(*batch, 1, side, side)
    masks[..., 8:24, 8:20] = 1.0
    cameras = Cameras(torch.eye(4).expand(*batch, 4, 4), torch.eye(3).expand(*batch, 3, 3), side, side)
    driving = DrivingSignal(BodyPose.rest(5, batch), torch.zeros(*batch, 52))
    return TargetViews(torch.rand(*batch, 3, side, side), masks, cameras, driving, torch.ones(*batch))


def code_of(offsets: torch.Tensor, scales: torch.Tensor) -> SubjectCode:
    batch, count = offsets.shape[:-2], offsets.shape[-2]
    empty = offsets.new_zeros(*batch, 1, 1)
    gaussians = Gaussians(
        offsets,
        offsets.new_zeros(*batch, count, 4),
        scales,
        offsets.new_zeros(*batch, count),
        torch.zeros_like(offsets),
    )
    return SubjectCode(offsets.new_zeros(*batch, 1), empty, empty, gaussians, offsets)


def rendering(colors: torch.Tensor, alpha: torch.Tensor) -> Rendering:
    return Rendering(colors, alpha, torch.zeros_like(alpha))


def test_a_perfect_render_costs_nothing(models):
    lpips, targets = load_lpips("alex", models), targets_of(2, 3)
    perfect = targets.images * targets.masks + 1 - targets.masks
    render = rendering(perfect, targets.masks)
    code = code_of(torch.zeros(2, 10, 3), torch.full((2, 10, 3), 0.01))
    terms = total(LossConfig(), lpips, render, render, targets, BACKGROUND, code, step=0)
    assert set(terms) == {
        *(f"{branch}_{name}" for branch in ("canonical", "posed") for name in ("l1", "mask", "lpips")),
        "position",
        "scale",
    }
    for name, value in terms.items():
        assert float(value) == pytest.approx(0.0, abs=1e-5), name


def test_l1_is_the_mean_over_known_pixels_weighted_by_picture():
    targets = targets_of(2)
    valid = torch.ones_like(targets.masks)
    valid[1, ..., :16] = 0.0
    target = prepare(replace(targets, valid=valid, weights=torch.tensor([3.0, 1.0])), BACKGROUND, None)
    render = target.images.clone()
    render[0] += 0.1
    render[1, ..., :16] += 5.0  # beyond the border: counts for nothing
    render[1, ..., 16:] += 0.2
    expected = (1.5 * 0.1 * 1024 + 0.5 * 0.2 * 512) / (1024 + 512)
    assert float(l1(render, target)) == pytest.approx(expected, rel=1e-4)


def test_l1_on_person_is_the_mean_over_person_pixels():
    target = prepare(targets_of(2), BACKGROUND, None)
    inside = target.images + 0.1 * target.masks
    assert float(l1_on_person(inside, target)) == pytest.approx(0.1, rel=1e-4)
    assert float(l1_on_person(target.images + (1 - target.masks), target)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("name", "guess"), [("l1", 0.0), ("squared", 0.25)])
def test_the_best_guess_of_what_is_lit_one_time_in_four(name, guess):
    """L1's is the median: dark; squared error's is the mean."""
    white = replace(targets_of(2), images=torch.zeros(2, 3, 32, 32), masks=torch.ones(2, 1, 32, 32))
    white.images[..., ::4] = 1.0
    target = prepare(white, BACKGROUND, None)
    tried = torch.linspace(0, 1, 21)
    errors = [float(PERSON[name](torch.full((2, 3, 32, 32), float(value)), target)) for value in tried]
    assert float(tried[errors.index(min(errors))]) == pytest.approx(guess, abs=1e-6)


def test_unknown_pixels_and_pictures_of_weight_zero_get_no_gradient(models):
    lpips, targets = load_lpips("alex", models), targets_of(2)
    valid = torch.ones_like(targets.masks)
    valid[0, ..., :10] = 0.0
    target = prepare(replace(targets, valid=valid, weights=torch.tensor([1.0, 0.0])), BACKGROUND, lpips)
    render = torch.rand(2, 3, 32, 32, requires_grad=True)
    (l1(render, target) + lpips_loss(lpips, render, target)).backward()
    assert not render.grad[1].any() and not render.grad[0, ..., :10].any() and render.grad[0, ..., 10:].any()


@pytest.mark.parametrize("name", ALPHA)
def test_mask_losses_fall_towards_the_mask(name):
    target = prepare(targets_of(1), BACKGROUND, None)
    losses = [float(alpha_loss(name, 0.5 + share * (target.masks - 0.5), target)) for share in (0.0, 0.5, 0.9)]
    assert losses == sorted(losses, reverse=True)


def test_regularizers_have_their_closed_forms():
    offsets = torch.tensor([[[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]]])
    scales = torch.tensor([[[0.01, 0.01, 0.01], [0.08, 0.01, 0.01]]])
    code = code_of(offsets, scales)
    values = {name: float(f(code)) for name, f in {**POSITION, **SCALE}.items()}
    assert values["acap_hinge"] == pytest.approx((0.1 - 0.05625) / 2, rel=1e-4)
    assert values["acap_paper"] == pytest.approx((0.1 - 0.0525) / 2, rel=1e-4)
    assert values["asap_hinge"] == pytest.approx((0.08 / (0.01 + 1e-6) - 5) / 2, rel=1e-4)
    ratios = torch.tensor([64.0, 1.0, 1.0]) / 22
    assert values["asap_covariance"] == pytest.approx(float((ratios - 1).square().sum()) / 2, rel=1e-4)


@pytest.mark.parametrize("name", [*POSITION, *SCALE])
def test_regularizers_gradcheck(name):
    torch.manual_seed(0)
    regularizer = {**POSITION, **SCALE}[name]
    offsets = (0.1 * torch.randn(2, 5, 3, dtype=torch.float64)).requires_grad_()
    scales = (0.02 * torch.rand(2, 5, 3, dtype=torch.float64) ** 2 + 1e-3).requires_grad_()
    assert torch.autograd.gradcheck(lambda o, s: regularizer(code_of(o, s)), (offsets, scales), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("name", ALPHA)
def test_photometric_terms_gradcheck(name):
    target = prepare(targets_of(1, side=24), BACKGROUND, None)
    target = replace(target, images=target.images.double(), masks=target.masks.double(), valid=target.valid.double())
    target = replace(target, weights=target.weights.double())
    torch.manual_seed(1)
    render = torch.rand(1, 3, 24, 24, dtype=torch.float64)[..., :3, :3].requires_grad_()
    alpha = (0.1 + 0.8 * torch.rand(1, 1, 3, 3, dtype=torch.float64)).requires_grad_()
    small = replace(
        target,
        images=target.images[..., 8:11, 8:11],
        masks=target.masks[..., 8:11, 8:11],
        valid=target.valid[..., :3, :3],
    )
    assert torch.autograd.gradcheck(lambda r, a: l1(r, small) + alpha_loss(name, a, small), (render, alpha))


def test_schedules():
    config = LossConfig(lpips=0.5, lpips_from=10, lpips_every=4, position=1000.0, regularizer_ramp=100)
    assert [config.lpips_weight(step) for step in (0, 9, 12, 13)] == [0.0, 0.0, 2.0, 0.0]
    targets = targets_of(1)
    render = rendering(targets.images, targets.masks)
    code = code_of(torch.full((1, 4, 3), 0.2), torch.full((1, 4, 3), 0.01))
    early, late = (total(config, None, render, render, targets, BACKGROUND, code, step) for step in (0, 500))
    assert float(early["position"]) == pytest.approx(float(late["position"]) / 100)
    assert "posed_lpips" not in early


def test_a_branch_of_weight_zero_is_left_out():
    targets = targets_of(1)
    render = rendering(targets.images, targets.masks)
    code = code_of(torch.zeros(1, 4, 3), torch.full((1, 4, 3), 0.01))
    terms = total(LossConfig(canonical=0.0, scale=0.0), None, render, render, targets, BACKGROUND, code, 0)
    assert set(terms) == {"posed_l1", "posed_mask", "position"}


def test_people_count_the_same_together_and_apart(models):
    """What several processes need: their mean is the loss of one batch with everybody."""
    lpips, targets = load_lpips("alex", models), targets_of(2, 3)
    masks = targets.masks.clone()
    masks[0, ..., 12:, :] = 0.0  # a smaller person
    valid = torch.ones_like(masks)
    valid[1, :, :, :5] = 0.0
    targets = replace(targets, masks=masks, valid=valid, weights=torch.tensor([[1.0, 0.5, 0.0], [0.2, 0.2, 0.4]]))
    render = rendering(torch.rand(2, 3, 3, 32, 32), torch.rand(2, 3, 1, 32, 32))
    code = code_of(torch.randn(2, 10, 3), torch.rand(2, 10, 3) + 0.01)
    config = LossConfig(person=1.0)

    def terms(first: int, last: int) -> dict[str, torch.Tensor]:
        own, part = slice(first, last), targets
        part = TargetViews(part.images[own], masks[own], part.cameras[own], part.driving, part.weights[own], valid[own])
        seen = rendering(render.colors[own], render.alpha[own])
        person = code_of(code.offsets[own], code.canonical.scales[own])
        return total(config, lpips, seen, seen, part, BACKGROUND, person, 0)

    together, first, second = terms(0, 2), terms(0, 1), terms(1, 2)
    for name, value in together.items():
        torch.testing.assert_close(value, (first[name] + second[name]) / 2, msg=name)


def test_every_variant_can_be_chosen_by_name():
    hints = get_type_hints(LossConfig)
    for field, variants in (("mask_loss", ALPHA), ("position_loss", POSITION), ("scale_loss", SCALE)):
        assert set(get_args(hints[field])) == set(variants)
