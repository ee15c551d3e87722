"""Spherical Gaussians ``amplitude * exp(sharpness * (axis . w - 1))``: lobes of shiny reflection and of light.

Wang et al. 2009, "All-frequency rendering of dynamic, spatially-varying reflectance".
"""

import math

import torch

from lca_shared.tensors import Float, Tensor


def gaussian_value(sharpness: Float[Tensor, "*#batch"], cosine: Float[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """A lobe of amplitude 1 at directions with this cosine to its axis."""
    return (sharpness * (cosine - 1)).exp()


def gaussian_integral(sharpness: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Integral over the sphere of a lobe of amplitude 1; steradians."""
    return 2 * math.pi * -torch.expm1(-2 * sharpness) / sharpness


def normalized_value(sharpness: Float[Tensor, "*#batch"], cosine: Float[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """A lobe of integral 1."""
    return gaussian_value(sharpness, cosine) / gaussian_integral(sharpness)


def gaussian_product(
    first_axis: Float[Tensor, "*#batch 3"],
    first_sharpness: Float[Tensor, "*#batch"],
    second_axis: Float[Tensor, "*#batch 3"],
    second_sharpness: Float[Tensor, "*#batch"],
) -> tuple[Float[Tensor, "*batch 3"], Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Axis, sharpness and amplitude of the product of two lobes of amplitude 1: again a lobe, exactly."""
    together = first_sharpness[..., None] * first_axis + second_sharpness[..., None] * second_axis
    sharpness = torch.linalg.vector_norm(together, dim=-1).clamp(min=1e-12)
    return together / sharpness[..., None], sharpness, (sharpness - first_sharpness - second_sharpness).exp()


def inner_product(
    first_axis: Float[Tensor, "*#batch 3"],
    first_sharpness: Float[Tensor, "*#batch"],
    second_axis: Float[Tensor, "*#batch 3"],
    second_sharpness: Float[Tensor, "*#batch"],
) -> Float[Tensor, "*batch"]:
    """Integral of the product of two lobes of amplitude 1, exactly."""
    _, sharpness, amplitude = gaussian_product(first_axis, first_sharpness, second_axis, second_sharpness)
    return amplitude * gaussian_integral(sharpness)


def convolved_sharpness(first: Float[Tensor, "*#batch"], second: Float[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """Sharpness of the lobe nearest to two lobes convolved: variances add (good for sharp lobes)."""
    return first * second / (first + second)


def reflection_sharpness(
    roughness: Float[Tensor, "*#batch"], cosine: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch"]:
    """Sharpness of the lobe around the mirrored view direction of a surface with a distribution of micro-normals.

    The distribution is a lobe of sharpness ``2 / alpha^2`` about the normal with ``alpha = roughness^2``; directions of
    light turn twice as fast as micro-normals, so that the lobe of light is ``4 cosine`` times less sharp.

    Args:
        roughness: above 0, up to 1.
        cosine: of the angle between normal and view direction; taken as at least 0.25.
    """
    return 0.5 / (roughness**4 * cosine.clamp(min=0.25))


def mirrored(normal: Float[Tensor, "*#batch 3"], toward: Float[Tensor, "*#batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The direction towards an observer, mirrored at a surface: where shine comes from."""
    return 2 * (normal * toward).sum(-1, keepdim=True) * normal - toward
