"""Fourier features of points (Section B.1 of the paper)."""

import math

import torch

from lca_shared.tensors import Float, Tensor


def fourier_features(points: Float[Tensor, "*b 3"], frequencies: int = 8) -> Float[Tensor, "*b features"]:
    """Sine and cosine of each coordinate at log-spaced frequencies, and the coordinates themselves.

    Args:
        points: metres.
        frequencies: angular frequencies ``pi 2^0 .. pi 2^(frequencies - 1)`` radians a metre. With LHM's 8 the result
            has 51 numbers; a sine of the fastest has a wavelength of 16 mm.
    """
    speeds = math.pi * 2.0 ** torch.arange(frequencies, device=points.device, dtype=points.dtype)
    angles = (points[..., None] * speeds).flatten(-2)
    return torch.cat([angles.sin(), angles.cos(), points], dim=-1)


def fourier_width(frequencies: int = 8) -> int:
    """Numbers that :func:`fourier_features` gives a point."""
    return 3 * (2 * frequencies + 1)
