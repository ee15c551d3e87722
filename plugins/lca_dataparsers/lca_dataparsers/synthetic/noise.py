"""Cheap repeatable randomness: streams by name, lattice noise in space, smooth signals in time."""

import hashlib
from functools import cache

import numpy as np
from scipy.ndimage import map_coordinates

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
    shift = np.array([0.37, 0.71, 0.13]) * (seed % 9973 + 1) * 7.31
    scaled = points * frequency + shift
    whole = np.floor(scaled)
    part = scaled - whole
    scaled = whole + part * part * (3.0 - 2.0 * part)
    return map_coordinates(_lattice(), np.mod(scaled, _SIDE).T, order=1, mode="grid-wrap")


def fractal_noise(points: np.ndarray, frequency: float, octaves: int = 3, seed: int = 0) -> np.ndarray:
    """Sum of octaves of :func:`lattice_noise`, each half as strong and twice as fine; [n], about -1 to 1."""
    total = np.zeros(len(points), np.float32)
    for octave in range(octaves):
        total += lattice_noise(points, frequency * 2**octave, seed + octave) * 0.5**octave
    return total / (2.0 - 0.5 ** (octaves - 1))


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
