"""Cheap repeatable randomness: streams by name, lattice noise in space, smooth signals in time."""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache

import numba
import numpy as np

_SIDE = 32


def stream(*key: object) -> np.random.Generator:
    """A random generator that depends on ``key`` alone, the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


@cache
def _lattice() -> np.ndarray:
    return stream("lattice").uniform(-1.0, 1.0, (_SIDE, _SIDE, _SIDE)).astype(np.float32)


def lattice_noise(points: np.ndarray, frequency: float, seed: int = 0) -> np.ndarray:
    """Smooth noise between -1 and 1.

    Args:
        points: [n, 3] metres.
        frequency: lattice cells per metre.
        seed: another seed gives other noise.

    Returns:
        [n].
    """
    return fractal_noise(points, frequency, 1, seed)


def fractal_noise(points: np.ndarray, frequency: float, octaves: int = 3, seed: int = 0) -> np.ndarray:
    """Sum of octaves of lattice noise, each half as strong and twice as fine; [n], about -1 to 1."""
    points = np.ascontiguousarray(points, np.float64)
    return _compiled()(points, float(frequency), int(octaves), int(seed), _lattice())


@cache
def _compiled() -> Callable:
    """The loop as machine code (Numba cannot compile the wrapper that the annotation checks of tests put around it)."""
    return numba.njit(inspect.unwrap(_noise), cache=True)


def _noise(points, frequency, octaves, seed, lattice):
    last = lattice.shape[0] - 1  # the side is a power of two
    result = np.zeros(len(points))
    whole = np.zeros(3, np.int64)
    part = np.zeros(3)
    for index in range(len(points)):
        strength, total = 1.0, 0.0
        for octave in range(octaves):
            scale = frequency * 2.0**octave
            shift = float((seed + octave) % 9973 + 1) * 7.31
            for axis in range(3):
                value = points[index, axis] * scale + shift * (0.37, 0.71, 0.13)[axis]
                floor = np.floor(value)
                fraction = value - floor
                whole[axis] = int(floor)
                part[axis] = fraction * fraction * (3.0 - 2.0 * fraction)
            value = 0.0
            for corner in range(8):
                i, j, k = corner & 1, (corner >> 1) & 1, corner >> 2
                weight = part[0] if i else 1.0 - part[0]
                weight *= part[1] if j else 1.0 - part[1]
                weight *= part[2] if k else 1.0 - part[2]
                value += weight * lattice[(whole[0] + i) & last, (whole[1] + j) & last, (whole[2] + k) & last]
            result[index] += strength * value
            total += strength
            strength *= 0.5
        result[index] /= total
    return result


def smooth_signal(random: np.random.Generator, times: np.ndarray, period: float, amplitude: float) -> np.ndarray:
    """A wandering signal: four sines with periods around ``period`` seconds; [len(times)]."""
    phases = random.uniform(0, 2 * np.pi, 4)
    periods = period * random.uniform(0.6, 2.0, 4)
    return amplitude * 0.5 * np.sin(2 * np.pi * times[:, None] / periods + phases).sum(axis=1)


def keyframed(times: np.ndarray, key_times: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Interpolate ``keys`` [k, n] at ``times`` [t] with eased steps (zero velocity at keys); returns [t, n]."""
    position = np.interp(times, key_times, np.arange(len(key_times)))
    index = np.minimum(position.astype(int), len(key_times) - 2)
    part = (position - index)[:, None]
    part = part * part * (3.0 - 2.0 * part)
    return keys[index] * (1.0 - part) + keys[index + 1] * part
