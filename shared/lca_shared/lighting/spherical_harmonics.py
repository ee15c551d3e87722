"""Real, orthonormal spherical harmonics up to any degree, as polynomials of the direction.

Coefficients stand in the order (0, 0), (1, -1), (1, 0), (1, 1), (2, -2) ...; there is no Condon-Shortley sign.
"""

import math

import torch

from lca_shared.tensors import Float, Tensor


def coefficient_count(degree: int) -> int:
    """Number of functions up to a degree."""
    return (degree + 1) ** 2


def harmonics(directions: Float[Tensor, "*batch 3"], degree: int) -> Float[Tensor, "*batch functions"]:
    """Values of all functions up to ``degree``.

    Args:
        directions: unit vectors.
        degree: highest one, 0 or more.
    """
    x, y, z = directions.unbind(-1)
    one = torch.ones_like(x)
    cosine, sine = [one], [torch.zeros_like(x)]  # of m times the azimuth, times sin(polar angle)^m
    for _ in range(degree):
        cosine, sine = [*cosine, x * cosine[-1] - y * sine[-1]], [*sine, x * sine[-1] + y * cosine[-1]]
    legendre = _reduced_legendre(z, degree)
    values = []
    for band in range(degree + 1):
        for order in range(-band, band + 1):
            m = abs(order)
            scale = math.sqrt((2 * band + 1) / (4 * math.pi) * math.factorial(band - m) / math.factorial(band + m))
            scale *= math.sqrt(2) if m else 1.0
            values.append(scale * legendre[band, m] * (cosine[m] if order >= 0 else sine[m]))
    return torch.stack(values, dim=-1)


def _reduced_legendre(z: Tensor, degree: int) -> dict[tuple[int, int], Tensor]:
    """Associated Legendre functions by degree and order, without their factor sin(polar angle)^order."""
    found = {}
    diagonal = torch.ones_like(z)
    for m in range(degree + 1):
        found[m, m] = diagonal
        if m < degree:
            found[m + 1, m] = (2 * m + 1) * z * diagonal
        for band in range(m + 2, degree + 1):
            found[band, m] = ((2 * band - 1) * z * found[band - 1, m] - (band + m - 1) * found[band - 2, m]) / (
                band - m
            )
        diagonal = (2 * m + 1) * diagonal
    return found


def projected(
    values: Float[Tensor, "samples channels"],
    directions: Float[Tensor, "samples 3"],
    solid_angles: Float[Tensor, "samples"],
    degree: int,
) -> Float[Tensor, "functions channels"]:
    """Coefficients of a function known at samples that cover the sphere.

    Args:
        values: of the function.
        directions: of the samples.
        solid_angles: of each sample, steradians.
        degree: of the highest band.
    """
    return harmonics(directions, degree).mT @ (values * solid_angles[:, None])


def of_directional_lights(
    directions: Float[Tensor, "*batch lights 3"], colors: Float[Tensor, "*batch lights channels"], degree: int
) -> Float[Tensor, "*batch functions channels"]:
    """Coefficients of lights from single directions (Dirac peaks).

    Args:
        directions: towards the lights.
        colors: irradiance of a surface that faces each light.
        degree: of the highest band.
    """
    return harmonics(directions, degree).mT @ colors


def rotated(
    coefficients: Float[Tensor, "*#batch functions channels"], rotation: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "*batch functions channels"]:
    """Coefficients of the function turned by a rotation: ``g(rotation @ direction) = f(direction)``.

    Each band is solved from its values at fixed directions, which is exact.
    """
    degree = math.isqrt(coefficients.shape[-2]) - 1
    directions = spread_directions(4 * coefficient_count(degree)).to(rotation)
    inverse = torch.linalg.pinv(harmonics(directions, degree))
    return inverse @ (harmonics(directions @ rotation, degree) @ coefficients)


def spread_directions(count: int) -> Float[Tensor, "count 3"]:
    """Directions spread evenly over the sphere (a Fibonacci lattice), float64."""
    step = torch.arange(count, dtype=torch.float64) + 0.5
    z = 1 - 2 * step / count
    turn = math.pi * (3 - math.sqrt(5)) * step
    flat = (1 - z.square()).sqrt()
    return torch.stack([flat * turn.cos(), flat * turn.sin(), z], dim=-1)
