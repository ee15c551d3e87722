"""Light that arrives at surfaces, of each light as much as is seen of it: with the body's shadows, and without.

Whether a light is hidden is asked at a few places on the bare body; how much of it a Gaussian takes up is a matter of
the Gaussian's own normal. Were both asked at the places, a skirt that faces the sun would be as dark as the thigh
below it.
"""

import torch

from lca_shared.lighting.lights import Lights
from lca_shared.tensors import Float, Tensor

_LUMINANCE = (0.2126, 0.7152, 0.0722)
_DARK = 0.02
"""Light, as a share of the person's mean, below which a place counts as lit by nothing and shadowed by nobody."""


def received(
    normals: Float[Tensor, "*b n 3"],
    points: Float[Tensor, "*b n 3"],
    seen: Float[Tensor, "*b n lights"],
    lights: Lights,
) -> tuple[Float[Tensor, "*b n 3"], Float[Tensor, "*b n 3"]]:
    """Radiance that white matt surfaces send back with shadows, and without.

    Args:
        normals: unit, world.
        points: metres, world.
        seen: how much of each light reaches the points, 0..1, in the order of ``Lights.with_keys().arriving``.
        lights: ``[*b]``, or without batch axes; a map counts as the directional lights that stand for it.
    """
    known = lights.with_keys()
    near = known.positions.shape[-2]
    cosine = (normals @ known.directions.mT).clamp(min=0)
    shadowed, whole = ((part @ known.sun_strengths) for part in (cosine * seen[..., near:], cosine))
    if near:
        toward = known.positions[..., None, :, :] - points[..., None, :]
        squared = toward.square().sum(-1).clamp(min=1e-6)
        cosine = ((toward @ normals[..., None])[..., 0] / squared.sqrt()).clamp(min=0) / squared
        shadowed = shadowed + (cosine * seen[..., :near]) @ known.strengths
        whole = whole + cosine @ known.strengths
    even = known.ambient[..., None, :]
    return shadowed + even, whole + even


def irradiance(
    normals: Float[Tensor, "*b n 3"],
    points: Float[Tensor, "*b n 3"],
    seen: Float[Tensor, "*b n lights"],
    lights: Lights,
) -> Float[Tensor, "*b n 6"]:
    """Of each surface: the share of its light that no part of the body keeps away; light with shadows; light without;
    the latter two over the person's mean, so that they do not depend on how bright it is. These are of luminance. Then
    the same share of red, green and blue over the first: where the sun is kept away, what is left is the sky's blue.

    Args: as of :func:`received`.
    """
    shadowed, whole = received(normals, points, seen, lights)
    luminance = shadowed.new_tensor(_LUMINANCE)
    dim, bright = (part @ luminance for part in (shadowed, whole))
    mean = bright.mean(dim=-1, keepdim=True).clamp(min=1e-6)
    share = (dim + _DARK * mean) / (bright + _DARK * mean)
    dark = _DARK * mean[..., None]
    of_colors = (shadowed + dark) / (whole + dark) / share[..., None]
    return torch.cat([torch.stack([share, dim / mean, bright / mean], dim=-1), of_colors], dim=-1)
