"""Zonal harmonics: functions that are round about an axis, one number a band.

A lobe with numbers ``z`` about ``axis`` is ``f(w) = sum_l z_l sqrt((2 l + 1) / (4 pi)) P_l(axis . w)``. Turning a lobe
is turning its axis, which is why transfer in a moving person's frames is kept so (Sloan, Luna and Snyder 2005, "Local,
deformable precomputed radiance transfer").
"""

import math

import torch

from lca_shared.lighting.spherical_harmonics import harmonics
from lca_shared.tensors import Float, Tensor


def legendre(cosine: Float[Tensor, "*batch"], degree: int) -> Float[Tensor, "*batch bands"]:
    """Legendre polynomials 0 to ``degree``."""
    values = [torch.ones_like(cosine), cosine]
    for band in range(2, degree + 1):
        values.append(((2 * band - 1) * cosine * values[-1] - (band - 1) * values[-2]) / band)
    return torch.stack(values[: degree + 1], dim=-1)


def zonal_value(zonal: Float[Tensor, "*#batch bands"], cosine: Float[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """A lobe at directions with this cosine to its axis."""
    bands = zonal.shape[-1]
    return (zonal * _scales(zonal) * legendre(cosine, bands - 1)).sum(-1)


def zonal_to_harmonics(
    zonal: Float[Tensor, "*#batch bands"], axis: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch functions"]:
    """Coefficients in spherical harmonics of a lobe about ``axis``."""
    bands = zonal.shape[-1]
    return _spread(zonal / _scales(zonal)) * harmonics(axis, bands - 1)


def zonal_response(
    zonal: Float[Tensor, "*#batch bands"],
    axis: Float[Tensor, "*#batch 3"],
    light: Float[Tensor, "*#batch functions channels"],
) -> Float[Tensor, "*batch channels"]:
    """Integral of a lobe times light given in spherical harmonics of the same degree."""
    bands, channels = zonal.shape[-1], light.shape[-1]
    of_band = _spread(torch.eye(bands, device=light.device, dtype=light.dtype)).mT  # [functions, bands]
    by_band = (of_band[..., None] * light[..., None, :]).flatten(-2)
    found = (harmonics(axis, bands - 1)[..., None, :] @ by_band)[..., 0, :].unflatten(-1, (bands, channels))
    return (found * (zonal / _scales(zonal))[..., None]).sum(-2)


def clamped_cosine(degree: int, dtype: torch.dtype = torch.float64) -> Float[Tensor, "bands"]:
    """Zonal numbers of max(cosine, 0): what a matt surface takes up (Ramamoorthi and Hanrahan 2001)."""
    numbers = []
    for band in range(degree + 1):
        if band == 1:
            integral = 2 * math.pi / 3
        elif band % 2:
            integral = 0.0
        else:
            half = band // 2
            middle = math.factorial(band) / (2**band * math.factorial(half) ** 2)
            integral = 2 * math.pi * (-1) ** (half - 1) / ((band + 2) * (band - 1)) * middle
        numbers.append(math.sqrt((2 * band + 1) / (4 * math.pi)) * integral)
    return torch.tensor(numbers, dtype=dtype)


def _scales(zonal: Tensor) -> Float[Tensor, "bands"]:
    bands = torch.arange(zonal.shape[-1], device=zonal.device, dtype=zonal.dtype)
    return ((2 * bands + 1) / (4 * math.pi)).sqrt()


def _spread(values: Float[Tensor, "*batch bands"]) -> Float[Tensor, "*batch functions"]:
    """Each band's number once for each of its functions."""
    bands = torch.arange(values.shape[-1], device=values.device)
    return values.repeat_interleave(2 * bands + 1, dim=-1)
