"""Landmarks in 3D from what many calibrated cameras saw of them, against wrong detections and swapped sides."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lca_shared.tensors import Bool, Float

SIDES: tuple[tuple[int, int], ...] = (
    *((1, 4), (2, 5), (3, 6), (7, 8), (9, 10)),
    *((left, left + 1) for left in range(11, 33, 2)),
)
"""Body landmarks of the left and right side of a person."""
MIRRORED = np.arange(33)
for _left, _right in SIDES:
    MIRRORED[[_left, _right]] = _right, _left
PIXEL_SIGMA = 0.015
"""Of the person's height in the picture: how far detections are off."""
INLIER = 3.0
"""Standard deviations."""
SWAP_GAIN = 0.6
"""A view's sides are swapped if that lowers its misfit below this share."""
MOST_PAIRS = 60
ROUNDS = 8
LEAST_ANGLE = np.cos(np.radians(4.0))
"""Rays closer than this to parallel say nothing about depth."""


@dataclass(frozen=True)
class Triangulated:
    """Landmarks of one moment."""

    points: Float[np.ndarray, "33 3"]
    """World, metres; NaN where fewer than two views agree."""
    agreeing: Float[np.ndarray, "33"]
    """Sum of the weights of the views that agree."""
    inlier: Bool[np.ndarray, "views 33"]
    swapped: Bool[np.ndarray, "views"]
    """Views whose left and right were exchanged."""


def triangulate(
    projections: Float[np.ndarray, "views 3 4"],
    pixels: Float[np.ndarray, "views 33 2"],
    weights: Float[np.ndarray, "views 33"],
    sizes: Float[np.ndarray, "views"],
) -> Triangulated:
    """Landmarks of one moment.

    Args:
        projections: world to homogeneous pixels.
        pixels: detections; NaN = none.
        weights: 0..1, how sure the detector is.
        sizes: pixels that an adult's height covers in each view.
    """
    swapped = np.zeros(len(pixels), bool)
    weights = np.where(np.isfinite(pixels).all(axis=-1), weights, 0.0)
    pixels = np.nan_to_num(pixels)
    sigma = PIXEL_SIGMA * sizes
    points, inlier = _robust(projections, pixels, weights, sigma)
    for _ in range(3):
        change = _better_swapped(projections, points, pixels, weights, sigma)
        if not change.any() or change.sum() > len(change) / 2:
            break
        swapped ^= change
        pixels = np.where(change[:, None, None], pixels[:, MIRRORED], pixels)
        weights = np.where(change[:, None], weights[:, MIRRORED], weights)
        points, inlier = _robust(projections, pixels, weights, sigma)
    agreeing = (weights * inlier).sum(axis=0)
    enough = (inlier & (weights > 0)).sum(axis=0) >= 2
    return Triangulated(np.where(enough[:, None], points, np.nan), agreeing * enough, inlier, swapped)


def _robust(
    projections: np.ndarray, pixels: np.ndarray, weights: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points [33, 3] and which views agree [views, 33]: the best pair of views, then weighted by Geman and McClure."""
    centres = np.stack([-np.linalg.solve(p[:, :3], p[:, 3]) for p in projections])
    inverse = np.linalg.inv(projections[:, :, :3])
    rays = np.einsum("vij,vlj->vli", inverse, np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1))
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    best, points = np.full(pixels.shape[1], -1.0), np.zeros((pixels.shape[1], 3))
    for a, b in _pairs(weights):
        middle, parallel = _closest(centres[a], rays[a], centres[b], rays[b])
        score = (weights / (1.0 + _residual(projections, middle, pixels, sigma) / INLIER**2)).sum(axis=0)
        score = np.where((weights[a] > 0) & (weights[b] > 0) & ~parallel, score, -1.0)
        better = score > best
        best, points = np.where(better, score, best), np.where(better[:, None], middle, points)
    for _ in range(ROUNDS):
        squared = _residual(projections, points, pixels, sigma)
        points = _least_squares(projections, points, pixels, weights / (1.0 + squared / INLIER**2) ** 2, sigma)
    return points, (_residual(projections, points, pixels, sigma) < INLIER**2) & (weights > 0)


def _pairs(weights: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of views, evenly thinned out where there are many."""
    pairs = list(combinations(np.flatnonzero(weights.sum(axis=1) > 0), 2))
    if len(pairs) > MOST_PAIRS:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, MOST_PAIRS).astype(int)]
    return [(int(a), int(b)) for a, b in pairs]


def _closest(a: np.ndarray, u: np.ndarray, b: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles between rays from a along u [n, 3] and from b along v, and which of them are nearly parallel."""
    cosine = (u * v).sum(axis=-1)
    parallel = np.abs(cosine) > LEAST_ANGLE
    below = np.where(parallel, 1.0, 1.0 - cosine**2)
    offset = b - a
    s = ((u * offset).sum(-1) - cosine * (v * offset).sum(-1)) / below
    t = (cosine * (u * offset).sum(-1) - (v * offset).sum(-1)) / below
    return 0.5 * (a + s[:, None] * u + b + t[:, None] * v), parallel | (s < 0) | (t < 0)


def _project(projections: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    homogeneous = np.einsum("vij,lj->vli", projections[:, :, :3], points) + projections[:, None, :, 3]
    depth = np.where(np.abs(homogeneous[..., 2:]) < 1e-6, 1e-6, homogeneous[..., 2:])
    return homogeneous[..., :2] / depth, depth[..., 0]


def _residual(projections: np.ndarray, points: np.ndarray, pixels: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Squared distances [views, points] in standard deviations; huge behind a camera."""
    seen, depth = _project(projections, points)
    squared = (((seen - pixels) / sigma[:, None, None]) ** 2).sum(axis=-1)
    return np.where(depth > 0, np.minimum(squared, 1e8), 1e8)


def _least_squares(
    projections: np.ndarray, points: np.ndarray, pixels: np.ndarray, weights: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """One step of Gauss and Newton on the weighted distances in the pictures."""
    seen, depth = _project(projections, points)
    rows = (projections[:, None, :2, :3] - seen[..., None] * projections[:, None, 2:, :3]) / depth[..., None, None]
    rows = rows / sigma[:, None, None, None]
    off = (pixels - seen) / sigma[:, None, None]
    normal = np.einsum("vlki,vl,vlkj->lij", rows, weights, rows) + 1e-6 * np.eye(3)
    right = np.einsum("vlki,vl,vlk->li", rows, weights, off)
    step = np.linalg.solve(normal, right[..., None])[..., 0]
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    return points + step * np.minimum(1.0, 0.5 / np.maximum(length, 1e-9))


def _better_swapped(
    projections: np.ndarray, points: np.ndarray, pixels: np.ndarray, weights: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """[views] bool: views that agree much better with left and right exchanged."""
    body = slice(11, 33)

    def misfit(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        squared = _residual(projections, points, pixels, sigma)
        robust = squared / (1.0 + squared / (3 * INLIER) ** 2)
        return (weights * robust)[:, body].sum(axis=1) / weights[:, body].sum(axis=1).clip(1e-3)

    plain = misfit(pixels, weights)
    mirrored = misfit(pixels[:, MIRRORED], weights[:, MIRRORED])
    return (mirrored < SWAP_GAIN * plain) & (plain > INLIER)
