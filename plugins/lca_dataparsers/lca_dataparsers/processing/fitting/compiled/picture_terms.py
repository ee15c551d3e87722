"""Terms about the picture: each adds its gradient by pixels (times ``factor``) and returns its value. See the functions
of the same names in :mod:`..terms` for what they mean; ``scale`` [T] is one over a standard deviation in pixels.
"""

import numpy as np

from lca_shared.rendering.numba_kernel import kernel


@kernel(nogil=True)
def _robust(squared: float, cutoff: float) -> tuple[float, float]:
    """Geman and McClure's function of a squared residual, and twice its derivative by the square."""
    damp = 1.0 / (1.0 + squared / cutoff**2)
    return squared * damp, 2.0 * damp * damp


@kernel(nogil=True)
def body(
    pixels: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    scale: np.ndarray,
    cutoff: float,
    factor: float,
    d_pixels: np.ndarray,
) -> float:
    """``target`` [T, L, 2] and ``weight`` [T, L] of the first L points."""
    value, frames = 0.0, len(target)
    for t in range(frames):
        s = scale[t]
        for p in range(target.shape[1]):
            if weight[t, p] == 0.0:
                continue
            dx, dy = (pixels[t, p, 0] - target[t, p, 0]) * s, (pixels[t, p, 1] - target[t, p, 1]) * s
            cost, slope = _robust(dx * dx + dy * dy, cutoff)
            value += weight[t, p] * cost / frames
            pull = factor * weight[t, p] * slope * s / frames
            d_pixels[t, p, 0] += pull * dx
            d_pixels[t, p, 1] += pull * dy
    return value


@kernel(nogil=True)
def points(
    pixels: np.ndarray,
    start: int,
    target: np.ndarray,
    seen: np.ndarray,
    scale: np.ndarray,
    cutoff: float,
    factor: float,
    d_pixels: np.ndarray,
) -> float:
    """Face or hand: ``target`` [T, N, 2] of the points from ``start`` on, of frames weighed by ``seen`` [T]."""
    value, frames, count = 0.0, len(target), target.shape[1]
    for t in range(frames):
        if seen[t] == 0.0:
            continue
        s, share = scale[t], seen[t] / (frames * count)
        for p in range(count):
            dx = (pixels[t, start + p, 0] - target[t, p, 0]) * s
            dy = (pixels[t, start + p, 1] - target[t, p, 1]) * s
            cost, slope = _robust(dx * dx + dy * dy, cutoff)
            value += share * cost
            pull = factor * share * slope * s
            d_pixels[t, start + p, 0] += pull * dx
            d_pixels[t, start + p, 1] += pull * dy
    return value


@kernel(nogil=True)
def outside(
    pixels: np.ndarray,
    start: int,
    distance: np.ndarray,
    picture: np.ndarray,
    scale: np.ndarray,
    cutoff: float,
    factor: float,
    d_pixels: np.ndarray,
) -> float:
    """``distance`` [T, h, w] to the mask in pixels of the ``picture`` (width, height), for the points from ``start``
    on; between its pixels linear, beyond its border constant."""
    value, frames, count = 0.0, len(pixels), pixels.shape[1] - start
    height, width = distance.shape[1:]
    across, along = width / picture[0], height / picture[1]
    share = 1.0 / (frames * count)
    for t in range(frames):
        s = scale[t]
        for p in range(start, start + count):
            u, v = pixels[t, p, 0], pixels[t, p, 1]
            if not (0.0 < u < picture[0] and 0.0 < v < picture[1]):
                continue
            x, y = u * across - 0.5, v * along - 0.5
            slope_x = across if 0.0 < x < width - 1 else 0.0
            slope_y = along if 0.0 < y < height - 1 else 0.0
            x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
            column, row = min(int(x), width - 2), min(int(y), height - 2)
            fx, fy = x - column, y - row
            d00, d01 = distance[t, row, column], distance[t, row, column + 1]
            d10, d11 = distance[t, row + 1, column], distance[t, row + 1, column + 1]
            off = ((d00 * (1.0 - fx) + d01 * fx) * (1.0 - fy) + (d10 * (1.0 - fx) + d11 * fx) * fy) * s
            if off == 0.0:
                continue
            cost, slope = _robust(off * off, cutoff)
            value += share * cost
            pull = factor * share * slope * off * s
            d_pixels[t, p, 0] += pull * slope_x * ((d01 - d00) * (1.0 - fy) + (d11 - d10) * fy)
            d_pixels[t, p, 1] += pull * slope_y * ((d10 - d00) * (1.0 - fx) + (d11 - d01) * fx)
    return value


@kernel(nogil=True)
def coverage(
    pixels: np.ndarray,
    start: int,
    partner: np.ndarray,
    contour: np.ndarray,
    weight: np.ndarray,
    scale: np.ndarray,
    cutoff: float,
    factor: float,
    d_pixels: np.ndarray,
) -> float:
    """``contour`` [T, N, 2] of the mask and, counted from ``start``, each one's ``partner`` [T, N]."""
    value, frames, count = 0.0, len(contour), contour.shape[1]
    share = 1.0 / (frames * count)
    for t in range(frames):
        s = scale[t]
        for n in range(count):
            if weight[t, n] == 0.0:
                continue
            p = start + partner[t, n]
            dx, dy = (pixels[t, p, 0] - contour[t, n, 0]) * s, (pixels[t, p, 1] - contour[t, n, 1]) * s
            cost, slope = _robust(dx * dx + dy * dy, cutoff)
            value += share * weight[t, n] * cost
            pull = factor * share * weight[t, n] * slope * s
            d_pixels[t, p, 0] += pull * dx
            d_pixels[t, p, 1] += pull * dy
    return value


@kernel(nogil=True)
def head_outline(
    pixels: np.ndarray,
    start: int,
    partner: np.ndarray,
    outline: np.ndarray,
    normal: np.ndarray,
    seen: np.ndarray,
    scale: np.ndarray,
    cutoff: float,
    factor: float,
    d_pixels: np.ndarray,
) -> float:
    """``outline`` [T, N, 2] of the face with outward ``normal`` and, counted from ``start``, each one's ``partner``."""
    value, frames, count = 0.0, len(outline), outline.shape[1]
    for t in range(frames):
        if seen[t] == 0.0:
            continue
        s, share = scale[t], seen[t] / (frames * count)
        for n in range(count):
            p = start + partner[t, n]
            nx, ny = normal[t, n, 0], normal[t, n, 1]
            off = ((pixels[t, p, 0] - outline[t, n, 0]) * nx + (pixels[t, p, 1] - outline[t, n, 1]) * ny) * s
            if off >= 0.0:
                continue
            cost, slope = _robust(off * off, cutoff)
            value += share * cost
            pull = factor * share * slope * off * s
            d_pixels[t, p, 0] += pull * nx
            d_pixels[t, p, 1] += pull * ny
    return value


@kernel(nogil=True)
def nearest_points(pixels: np.ndarray, start: int, contour: np.ndarray, partner: np.ndarray) -> None:
    """Fill ``partner`` [T, N]: of the points from ``start`` on, counted from there, the one nearest to each of
    ``contour`` [T, N, 2]."""
    for t in range(len(contour)):
        for n in range(contour.shape[1]):
            x, y, least = contour[t, n, 0], contour[t, n, 1], np.float32(np.inf)
            for p in range(start, pixels.shape[1]):
                dx, dy = pixels[t, p, 0] - x, pixels[t, p, 1] - y
                squared = dx * dx + dy * dy
                if squared < least:
                    least = squared
                    partner[t, n] = p - start


@kernel(nogil=True)
def points_beside(
    pixels: np.ndarray, start: int, outline: np.ndarray, normal: np.ndarray, sideways: float, partner: np.ndarray
) -> None:
    """Fill ``partner`` [T, N]: of the points from ``start`` on, counted from there, the one that lies farthest out
    beside each of ``outline`` [T, N, 2]; see ``outline_partners``."""
    for t in range(len(outline)):
        for n in range(outline.shape[1]):
            nx, ny, most = normal[t, n, 0], normal[t, n, 1], np.float32(-np.inf)
            for p in range(start, pixels.shape[1]):
                dx, dy = pixels[t, p, 0] - outline[t, n, 0], pixels[t, p, 1] - outline[t, n, 1]
                score = dx * nx + dy * ny - np.float32(sideways) * abs(dx * ny - dy * nx)
                if score > most:
                    most = score
                    partner[t, n] = p - start
