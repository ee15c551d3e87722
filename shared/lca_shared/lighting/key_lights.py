"""A few directional lights that stand for an environment map: each for as much light as the others.

The map is halved again and again where its light is halved, along the longer side of each part (P. Debevec 2005, "A
median cut algorithm for light probe sampling").
"""

from dataclasses import dataclass

import torch

from lca_shared.lighting.equirectangular import directions_of, solid_angles
from lca_shared.tensors import Float, Tensor

_LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class KeyLights:
    """Directional lights."""

    directions: Float[Tensor, "lights 3"]
    """Unit, towards the lights."""
    strengths: Float[Tensor, "lights 3"]
    """Radiance that a white matt surface facing the light sends back."""


def key_lights(radiance: Float[Tensor, "height width 3"], count: int) -> KeyLights:
    """Lights of a map; together they give a facing surface what the whole map holds.

    Args:
        radiance: linear.
        count: of lights; less where the map has fewer pixels with light.
    """
    height, width = radiance.shape[:2]
    energy = radiance * solid_angles(height, width).to(radiance)[..., None]
    weights = energy @ radiance.new_tensor(_LUMINANCE)
    parts = [(0, height, 0, width)]
    while len(parts) < count:
        sizes = [float(weights[a:b, c:d].sum()) if (b - a) * (d - c) > 1 else -1.0 for a, b, c, d in parts]
        largest = max(range(len(parts)), key=lambda i: sizes[i])
        if sizes[largest] <= 0:
            break
        parts[largest : largest + 1] = _halves(weights, parts[largest])
    towards = directions_of(height, width).to(radiance)
    directions, strengths = [], []
    for a, b, c, d in parts:
        share = weights[a:b, c:d]
        middle = (towards[a:b, c:d] * share[..., None]).sum(dim=(0, 1))
        if float(share.sum()) > 0:
            directions.append(torch.nn.functional.normalize(middle, dim=-1))
            strengths.append(energy[a:b, c:d].sum(dim=(0, 1)) / torch.pi)
    if not directions:
        return KeyLights(radiance.new_zeros(0, 3), radiance.new_zeros(0, 3))
    return KeyLights(torch.stack(directions), torch.stack(strengths))


def _halves(weights: Tensor, part: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    """Two parts with nearly as much light each, cut across the longer side as seen from the middle."""
    a, b, c, d = part
    height = weights.shape[0]
    stretch = float(torch.tensor((0.5 - (a + b) / 2 / height) * torch.pi).cos())
    across = d - c > 1 and ((d - c) * stretch >= b - a or b - a == 1)
    along = weights[a:b, c:d].sum(dim=0 if across else 1).cumsum(0)
    at = int((along - along[-1] / 2).abs()[:-1].argmin()) + 1
    return [(a, b, c, c + at), (a, b, c + at, d)] if across else [(a, a + at, c, d), (a + at, b, c, d)]
