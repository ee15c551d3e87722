import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lca_shared.metrics import masked_l1, masked_lpips, masked_psnr, masked_ssim, ssim_map
from lca_shared.perceptual import load_lpips


@pytest.fixture
def pictures():
    torch.manual_seed(0)
    target = torch.nn.functional.interpolate(torch.rand(2, 3, 5, 5), size=(48, 40), mode="bilinear")
    render = (target + 0.1 * torch.randn_like(target)).clamp(0, 1)
    masks = torch.zeros(2, 1, 48, 40)
    masks[0, :, 5:30, 8:33], masks[1, :, 20:25, 20:25] = 1.0, 1.0
    return render, target, masks


def test_psnr_and_l1_are_those_of_the_cut_out_pixels(pictures):
    render, target, _ = pictures
    inside = render[0, :, 5:30, 8:33].numpy(), target[0, :, 5:30, 8:33].numpy()
    expected = peak_signal_noise_ratio(inside[1], inside[0], data_range=1.0)
    assert float(masked_psnr(*pictures)[0]) == pytest.approx(expected, abs=1e-4)
    assert float(masked_l1(*pictures)[0]) == pytest.approx(abs(inside[0] - inside[1]).mean(), abs=1e-6)


def test_a_constant_error_has_the_closed_form(pictures):
    _, target, masks = pictures
    torch.testing.assert_close(masked_psnr(target + 0.1, target, masks), torch.full((2,), 20.0))


def test_nothing_outside_the_mask_counts(pictures, models):
    render, target, masks = pictures
    noise = torch.rand_like(render) * (1 - masks) + render * masks
    lpips = load_lpips("alex", models)
    for metric in (masked_psnr, masked_l1, masked_ssim):
        torch.testing.assert_close(metric(render, target, masks), metric(noise, target, masks))
    torch.testing.assert_close(masked_lpips(lpips, render, target, masks), masked_lpips(lpips, noise, target, masks))


def test_ssim_is_scikit_images(pictures):
    render, target, _ = pictures
    expected = structural_similarity(
        target[0].numpy(),
        render[0].numpy(),
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1]
    inner = (slice(None), slice(5, -5), slice(5, -5))  # beyond the border the two mirror differently
    found = ssim_map(target, render)[0][inner]
    torch.testing.assert_close(found, torch.from_numpy(expected).float()[inner], atol=1e-4, rtol=0)
    assert float(masked_ssim(target, target, torch.ones(2, 1, 48, 40)).min()) == pytest.approx(1.0)


def test_an_empty_mask_gives_nan_and_any_batch_axes_work(pictures, models):
    render, target, masks = pictures
    lpips = load_lpips("alex", models)
    metrics = [masked_psnr, masked_l1, masked_ssim, lambda *args: masked_lpips(lpips, *args)]
    for metric in metrics:
        assert math.isnan(float(metric(render[0], target[0], torch.zeros(1, 48, 40))))
        torch.testing.assert_close(metric(render[None], target[None], masks[None])[0], metric(render, target, masks))
