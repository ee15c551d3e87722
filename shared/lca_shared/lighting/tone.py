"""From linear light to a picture: exposure, a tone curve, sRGB."""

from typing import Literal

import torch

from lca_shared.tensors import Float, Tensor

ToneCurve = Literal["clip", "reinhard", "filmic"]
"""clip: what is brighter than white is white; reinhard: bright light is pressed together; filmic: contrast of film
(K. Narkowicz's fit of the Academy's curve, 2015)."""
TONE_CURVES: tuple[ToneCurve, ...] = ("clip", "reinhard", "filmic")
_WHITE = 4.0
"""Radiance that the reinhard curve shows as white."""


def to_linear(srgb: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """sRGB 0..1 to linear light."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Linear light to sRGB: the inverse of :func:`to_linear`; goes on above 1, black below 0."""
    light = light.clamp(min=0)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def tone_mapped(
    radiance: Float[Tensor, "*batch"], exposure: float = 0.0, curve: ToneCurve = "clip"
) -> Float[Tensor, "*batch"]:
    """sRGB 0..1 of linear radiance.

    Args:
        radiance: 0 or more.
        exposure: stops: each doubles the light.
        curve: what becomes of light brighter than white.
    """
    light = (radiance * 2.0**exposure).clamp(min=0)
    if curve == "reinhard":
        light = light * (1 + light / _WHITE**2) / (1 + light)
    elif curve == "filmic":
        light = light * 0.6
        light = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return to_srgb(light.clamp(max=1))
