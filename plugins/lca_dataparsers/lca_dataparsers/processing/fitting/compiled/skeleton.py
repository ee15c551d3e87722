"""Pose of joints and points, and the way of gradients back through it; T frames, A joints, P points, float32.

Frames and names are those of ``PointBody``: ``turned`` [T, A, 3, 3] and ``placed`` [T, A, 3] are orientation and place
of each joint in the world, ``local`` [T, A, 3, 3] its own rotation, ``rest`` [A, 3] its place at rest (metres).
"""

import numpy as np

from lca_shared.rendering.numba_kernel import kernel

_SMALL = 1e-2
"""Radians below which series stand for quotients that lose digits."""


@kernel(nogil=True)
def turn(vector: np.ndarray, out: np.ndarray) -> None:
    """Rotation matrix ``out`` [3, 3] of a rotation vector [3]: I + A [v] + B [v]^2 (Rodrigues)."""
    x, y, z = vector[0], vector[1], vector[2]
    square = x * x + y * y + z * z
    angle = np.sqrt(square)
    if angle < _SMALL:
        a, b = 1.0 - square / 6.0, 0.5 - square / 24.0
    else:
        a, b = np.sin(angle) / angle, (1.0 - np.cos(angle)) / square
    out[0, 0], out[1, 1], out[2, 2] = 1.0 - b * (y * y + z * z), 1.0 - b * (x * x + z * z), 1.0 - b * (x * x + y * y)
    out[0, 1], out[1, 0] = b * x * y - a * z, b * x * y + a * z
    out[0, 2], out[2, 0] = b * x * z + a * y, b * x * z - a * y
    out[1, 2], out[2, 1] = b * y * z - a * x, b * y * z + a * x


@kernel(nogil=True)
def turn_back(vector: np.ndarray, gradient: np.ndarray, out: np.ndarray) -> None:
    """Add to ``out`` [3] the gradient by the vector, given that by its matrix [3, 3]."""
    m = gradient
    square = vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2
    angle = np.sqrt(square)
    if angle < _SMALL:
        a, b = 1.0 - square / 6.0, 0.5 - square / 24.0
        da, db = -1.0 / 3.0 + square / 30.0, -1.0 / 12.0 + square / 180.0
    else:
        a, b = np.sin(angle) / angle, (1.0 - np.cos(angle)) / square
        da, db = (np.cos(angle) - a) / square, (a - 2.0 * b) / square
    skew = (m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1])
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    along, quadratic = 0.0, 0.0
    for i in range(3):
        along += vector[i] * skew[i]
        for j in range(3):
            quadratic += vector[i] * m[i, j] * vector[j]
    radial = da * along + db * (quadratic - square * trace) - 2.0 * b * trace
    for i in range(3):
        across = 0.0
        for j in range(3):
            across += (m[i, j] + m[j, i]) * vector[j]
        out[i] += a * skew[i] + b * across + radial * vector[i]


@kernel(nogil=True)
def turn_all(vectors: np.ndarray, out: np.ndarray) -> None:
    """:func:`turn` of [T, 3] into [T, 3, 3]."""
    for t in range(len(vectors)):
        turn(vectors[t], out[t])


@kernel(nogil=True)
def turn_all_back(vectors: np.ndarray, gradient: np.ndarray, out: np.ndarray) -> None:
    """:func:`turn_back` of [T, 3] and [T, 3, 3] into [T, 3]."""
    for t in range(len(vectors)):
        turn_back(vectors[t], gradient[t], out[t])


@kernel(nogil=True)
def pose_joints(
    parents: np.ndarray,
    driven: np.ndarray,
    rest: np.ndarray,
    rotations: np.ndarray,
    root: np.ndarray,
    translation: np.ndarray,
    local: np.ndarray,
    turned: np.ndarray,
    placed: np.ndarray,
) -> None:
    """Fill ``local`` (of driven joints; the others' stay as they are), ``turned`` and ``placed``.

    ``driven`` [D] are the joints that ``rotations`` [T, D, 3] belong to; ``root`` [T, 3, 3]; ``translation`` [T, 3].
    """
    for t in range(len(root)):
        for d in range(len(driven)):
            turn(rotations[t, d], local[t, driven[d]])
        for i in range(3):
            placed[t, 0, i] = rest[0, i] + translation[t, i]
            for j in range(3):
                turned[t, 0, i, j] = root[t, i, j]
        for a in range(1, len(parents)):
            p = parents[a]
            for i in range(3):
                place = placed[t, p, i]
                for k in range(3):
                    place += turned[t, p, i, k] * (rest[a, k] - rest[p, k])
                placed[t, a, i] = place
                for j in range(3):
                    entry = np.float32(0.0)
                    for k in range(3):
                        entry += turned[t, p, i, k] * local[t, a, k, j]
                    turned[t, a, i, j] = entry


@kernel(nogil=True)
def joints_back(
    parents: np.ndarray,
    driven: np.ndarray,
    rest: np.ndarray,
    rotations: np.ndarray,
    local: np.ndarray,
    turned: np.ndarray,
    d_turned: np.ndarray,
    d_placed: np.ndarray,
    d_rotations: np.ndarray,
    d_rest: np.ndarray,
) -> None:
    """Gradients by ``turned`` and ``placed`` carried from the tips to the root, which keeps its own in both; added to
    those by ``rotations`` and ``rest``.
    """
    d_local = np.zeros((len(parents), 3, 3), np.float32)
    for t in range(len(turned)):
        for a in range(len(parents) - 1, 0, -1):
            p = parents[a]
            for i in range(3):
                for k in range(3):
                    d_turned[t, p, i, k] += d_placed[t, a, i] * (rest[a, k] - rest[p, k])
                    entry = np.float32(0.0)
                    for j in range(3):
                        entry += d_turned[t, a, i, j] * local[t, a, k, j]
                    d_turned[t, p, i, k] += entry
                d_placed[t, p, i] += d_placed[t, a, i]
            for k in range(3):
                moved = np.float32(0.0)
                for i in range(3):
                    moved += turned[t, p, i, k] * d_placed[t, a, i]
                d_rest[a, k] += moved
                d_rest[p, k] -= moved
                for j in range(3):
                    entry = np.float32(0.0)
                    for i in range(3):
                        entry += turned[t, p, i, k] * d_turned[t, a, i, j]
                    d_local[a, k, j] = entry
        for k in range(3):
            d_rest[0, k] += d_placed[t, 0, k]
        for d in range(len(driven)):
            turn_back(rotations[t, d], d_local[driven[d]], d_rotations[t, d])


@kernel(nogil=True)
def pose_points(
    first: np.ndarray,
    which: np.ndarray,
    weight: np.ndarray,
    rest_points: np.ndarray,
    rest: np.ndarray,
    turned: np.ndarray,
    placed: np.ndarray,
    displaced: np.ndarray,
    face: int,
    focal: float,
    middle: np.ndarray,
    nearest: float,
    points: np.ndarray,
    pixels: np.ndarray,
) -> None:
    """Fill ``points`` [T, P, 3] (world, metres) and ``pixels`` [T, P, 2].

    Entries ``first[p]`` to ``first[p + 1]`` of ``which`` and ``weight`` are the joints a point hangs on. ``displaced``
    [T, F, 3] moves the points from ``face`` on at rest. ``middle`` [2] is the principal point.
    """
    for t in range(len(points)):
        for p in range(len(rest_points)):
            r0, r1, r2 = rest_points[p, 0], rest_points[p, 1], rest_points[p, 2]
            if face <= p < face + displaced.shape[1]:
                r0 += displaced[t, p - face, 0]
                r1 += displaced[t, p - face, 1]
                r2 += displaced[t, p - face, 2]
            x = y = z = np.float32(0.0)
            for e in range(first[p], first[p + 1]):
                a, w = which[e], weight[e]
                u0, u1, u2 = r0 - rest[a, 0], r1 - rest[a, 1], r2 - rest[a, 2]
                g = turned[t, a]
                x += w * (placed[t, a, 0] + g[0, 0] * u0 + g[0, 1] * u1 + g[0, 2] * u2)
                y += w * (placed[t, a, 1] + g[1, 0] * u0 + g[1, 1] * u1 + g[1, 2] * u2)
                z += w * (placed[t, a, 2] + g[2, 0] * u0 + g[2, 1] * u1 + g[2, 2] * u2)
            points[t, p, 0], points[t, p, 1], points[t, p, 2] = x, y, z
            depth = max(y, np.float32(nearest))
            pixels[t, p, 0] = x / depth * focal + middle[0]
            pixels[t, p, 1] = -z / depth * focal + middle[1]


@kernel(nogil=True)
def points_back(
    first: np.ndarray,
    which: np.ndarray,
    weight: np.ndarray,
    rest_points: np.ndarray,
    rest: np.ndarray,
    turned: np.ndarray,
    displaced: np.ndarray,
    face: int,
    focal: float,
    nearest: float,
    points: np.ndarray,
    d_points: np.ndarray,
    d_pixels: np.ndarray,
    d_turned: np.ndarray,
    d_placed: np.ndarray,
    d_rest_points: np.ndarray,
    d_rest: np.ndarray,
    shaping: bool,
) -> float:
    """Add to the gradients by joints, and while ``shaping`` to those by the rest pose, given those by points and
    pixels. Returns the gradient by the logarithm of the focal length.
    """
    d_focal = 0.0
    for t in range(len(points)):
        for p in range(len(rest_points)):
            right, down = d_pixels[t, p, 0] * focal, d_pixels[t, p, 1] * focal
            dx, dy, dz = d_points[t, p, 0], d_points[t, p, 1], d_points[t, p, 2]
            if right == 0.0 and down == 0.0 and dx == 0.0 and dy == 0.0 and dz == 0.0:
                continue
            x, y, z = points[t, p, 0], points[t, p, 1], points[t, p, 2]
            depth = max(y, np.float32(nearest))
            outwards = (right * x - down * z) / depth
            d_focal += outwards
            dx += right / depth
            dz -= down / depth
            if y >= nearest:
                dy -= outwards / depth
            r0, r1, r2 = rest_points[p, 0], rest_points[p, 1], rest_points[p, 2]
            if face <= p < face + displaced.shape[1]:
                r0 += displaced[t, p - face, 0]
                r1 += displaced[t, p - face, 1]
                r2 += displaced[t, p - face, 2]
            for e in range(first[p], first[p + 1]):
                a, w = which[e], weight[e]
                w0, w1, w2 = w * dx, w * dy, w * dz
                u0, u1, u2 = r0 - rest[a, 0], r1 - rest[a, 1], r2 - rest[a, 2]
                d = d_turned[t, a]
                d[0, 0] += w0 * u0
                d[0, 1] += w0 * u1
                d[0, 2] += w0 * u2
                d[1, 0] += w1 * u0
                d[1, 1] += w1 * u1
                d[1, 2] += w1 * u2
                d[2, 0] += w2 * u0
                d[2, 1] += w2 * u1
                d[2, 2] += w2 * u2
                d_placed[t, a, 0] += w0
                d_placed[t, a, 1] += w1
                d_placed[t, a, 2] += w2
                if shaping:
                    for k in range(3):
                        back = turned[t, a, 0, k] * w0 + turned[t, a, 1, k] * w1 + turned[t, a, 2, k] * w2
                        d_rest_points[p, k] += back
                        d_rest[a, k] -= back
    return d_focal
