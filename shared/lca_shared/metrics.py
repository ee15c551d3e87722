"""How close a render is to a picture, on person pixels only (Section 4.1 of the paper).

Every function takes sRGB 0..1 pictures and the *true* person mask (weights 0..1), any leading axes, and returns one
number per picture; a picture whose mask is empty gives NaN.
"""

import math

import torch
from torch.nn import functional as F

from lca_shared.perceptual import LPIPS
from lca_shared.tensors import Float, Tensor

OUTSIDE = 1.0
"""Grey level put outside the mask in both pictures before SSIM and LPIPS look at neighbourhoods."""


def masked_mean(values: Float[Tensor, "*b channels h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b"]:
    """Mean over person pixels and channels."""
    return (values * masks).sum(dim=(-3, -2, -1)) / (masks.sum(dim=(-3, -2, -1)) * values.shape[-3])


def masked_l1(
    render: Float[Tensor, "*b 3 h w"], target: Float[Tensor, "*b 3 h w"], masks: Float[Tensor, "*b 1 h w"]
) -> Float[Tensor, "*b"]:
    """Mean absolute difference over person pixels and channels."""
    return masked_mean((render - target).abs(), masks)


def masked_psnr(
    render: Float[Tensor, "*b 3 h w"], target: Float[Tensor, "*b 3 h w"], masks: Float[Tensor, "*b 1 h w"]
) -> Float[Tensor, "*b"]:
    """``10 log10(1 / MSE)`` in dB, with the mean squared error over person pixels and channels."""
    return -10 * masked_mean((render - target).square(), masks).log10()


def masked_ssim(
    render: Float[Tensor, "*b 3 h w"], target: Float[Tensor, "*b 3 h w"], masks: Float[Tensor, "*b 1 h w"]
) -> Float[Tensor, "*b"]:
    """Structural similarity (Wang et al. 2004: Gaussian window of deviation 1.5, 11 pixels, K = 0.01, 0.03), averaged
    over person pixels; outside the mask both pictures have the same grey.
    """
    return masked_mean(ssim_map(outside_filled(render, masks), outside_filled(target, masks)), masks)


def masked_lpips(
    lpips: LPIPS,
    render: Float[Tensor, "*b 3 h w"],
    target: Float[Tensor, "*b 3 h w"],
    masks: Float[Tensor, "*b 1 h w"],
) -> Float[Tensor, "*b"]:
    """LPIPS averaged over person pixels; outside the mask both pictures have the same grey."""
    distance = lpips(outside_filled(render, masks), outside_filled(target, masks), masks)
    return torch.where(masks.sum(dim=(-3, -2, -1)) > 0, distance, math.nan)


def outside_filled(images: Float[Tensor, "*b 3 h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Pictures with :data:`OUTSIDE` where the mask is 0."""
    return images * masks + OUTSIDE * (1 - masks)


def ssim_map(first: Float[Tensor, "*b 3 h w"], second: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Structural similarity at every pixel and channel; pictures continue as their mirror image beyond the border."""
    position = torch.arange(11, device=first.device, dtype=first.dtype) - 5
    window = (-position.square() / (2 * 1.5**2)).exp()
    window = window / window.sum()

    def blurred(images: Tensor) -> Tensor:
        flat = F.pad(images.reshape(-1, 1, *images.shape[-2:]), (5, 5, 5, 5), mode="reflect")
        flat = F.conv2d(F.conv2d(flat, window[None, None, :, None]), window[None, None, None, :])
        return flat.reshape(images.shape)

    mean_first, mean_second = blurred(first), blurred(second)
    variance_first = blurred(first.square()) - mean_first.square()
    variance_second = blurred(second.square()) - mean_second.square()
    covariance = blurred(first * second) - mean_first * mean_second
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_first * mean_second + c1) / (mean_first.square() + mean_second.square() + c1)
    return luminance * (2 * covariance + c2) / (variance_first + variance_second + c2)
