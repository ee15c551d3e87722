"""Evenly spread light samples: which directions each sample of a pixel looks at."""

import numpy as np

from lca_dataparsers.synthetic.scene import unit

_SPREAD = np.array([0.7548776662466927, 0.5698402909980532], np.float32)
"""Steps of the additive sequence in two dimensions that spreads most evenly (M. Roberts' R2)."""


def interleaved(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two numbers per pixel that differ strongly between neighbours (Jimenez' interleaved gradient noise), [n, 2]."""
    first = np.mod(52.9829189 * np.mod(0.06711056 * x + 0.00583715 * y, 1.0), 1.0)
    second = np.mod(52.9829189 * np.mod(0.06711056 * (y + 17.0) + 0.00583715 * (x + 5.0), 1.0), 1.0)
    return np.stack([first, second], axis=-1).astype(np.float32)


def sequence(start: np.ndarray, index: np.ndarray | int) -> np.ndarray:
    """Element ``index`` ([n] or one) of evenly spread sequences in the unit square that begin at ``start`` [n, 2]."""
    point = start + np.asarray(index, np.float32)[..., None] * _SPREAD
    return point - np.floor(point)


def towards(direction: np.ndarray, radius: float, square: np.ndarray) -> np.ndarray:
    """Directions on a disc of angular ``radius`` around ``direction`` [3], [n, 3], from points of the unit square."""
    side = np.cross(direction, np.array([0.3, 0.5, 0.8]))
    side /= np.linalg.norm(side)
    over = np.cross(direction, side)
    distance, angle = radius * np.sqrt(square[:, 0]), 2 * np.pi * square[:, 1]
    plane = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=-1).astype(np.float32)
    return unit(direction.astype(np.float32) + plane @ np.stack([side, over]).astype(np.float32))


def around_normals(normals: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Directions about ``normals`` [n, 3] with cosine density, from points of the unit square."""
    height, angle = 1 - 2 * square[:, 0], np.float32(2 * np.pi) * square[:, 1]
    flat = np.float32(0.999) * np.sqrt(np.clip(1 - height * height, 0, 1))
    sphere = np.stack([flat * np.cos(angle), flat * np.sin(angle), np.float32(0.999) * height], axis=-1)
    return unit(normals + sphere)
