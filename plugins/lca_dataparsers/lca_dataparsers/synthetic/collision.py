"""Cloth against a body: vertices that came nearer than a margin are put back, and rub. Compiled loops.

Each vertex of the cloth is held against the plane through the body's nearest point, as long as one is near.
"""

import numpy as np

from lca_shared.rendering.numba_kernel import kernel

CELL = 0.05
"""Side of the cells in which the nearest point is looked for, metres: cloth farther off is not touched."""
SIDEWAYS = 0.03
"""Beyond this distance along the surface (and more the deeper), the nearest point says nothing, metres."""
FRICTION = 0.3
"""Sideways pull over the push away from the body."""


@kernel()
def body_bins(body):
    """Points [points, 3] sorted into cells: lowest corner, cells per axis, points by cell, first of each cell."""
    low, high = body[0].copy(), body[0].copy()
    for j in range(len(body)):
        for k in range(3):
            low[k], high[k] = min(low[k], body[j, k]), max(high[k], body[j, k])
    low -= 1.5 * CELL
    size = np.empty(3, np.int64)
    for k in range(3):
        size[k] = int((high[k] - low[k]) / CELL) + 2
    cell = np.empty(len(body), np.int64)
    first = np.zeros(size[0] * size[1] * size[2] + 1, np.int64)
    for j in range(len(body)):
        x, y, z = (
            int((body[j, 0] - low[0]) / CELL),
            int((body[j, 1] - low[1]) / CELL),
            int((body[j, 2] - low[2]) / CELL),
        )
        cell[j] = (x * size[1] + y) * size[2] + z
        first[cell[j] + 1] += 1
    for c in range(1, len(first)):
        first[c] += first[c - 1]
    order, filled = np.empty(len(body), np.int64), first.copy()
    for j in range(len(body)):
        order[filled[cell[j]]] = j
        filled[cell[j]] += 1
    return low, size, order, first


@kernel()
def find_nearest(position, body, bins, nearest):
    """Write the nearest point of ``body`` within :data:`CELL` of each vertex to ``nearest``; -1 where there is none.

    ``bins`` (:func:`body_bins`) may be of a moment a little before or after.
    """
    low, size, order, first = bins
    for i in range(len(position)):
        at_x = int(np.floor((position[i, 0] - low[0]) / CELL))
        at_y = int(np.floor((position[i, 1] - low[1]) / CELL))
        at_z = int(np.floor((position[i, 2] - low[2]) / CELL))
        best, nearest[i] = CELL * CELL, -1
        low_z, high_z = max(0, at_z - 1), min(size[2], at_z + 2)
        if high_z <= low_z:
            continue
        for cx in range(max(0, at_x - 1), min(size[0], at_x + 2)):
            for cy in range(max(0, at_y - 1), min(size[1], at_y + 2)):
                column = (cx * size[1] + cy) * size[2]
                for place in range(first[column + low_z], first[column + high_z]):
                    j = order[place]
                    x = position[i, 0] - body[j, 0]
                    y = position[i, 1] - body[j, 1]
                    z = position[i, 2] - body[j, 2]
                    squared = x * x + y * y + z * z
                    if squared < best:
                        best, nearest[i] = squared, j


@kernel()
def meet_body(position, before, free, nearest, body, earlier, normals, margin):
    """Put cloth back outside of a body, in place.

    Args:
        position: [vertices, 3] of the cloth, metres; changed.
        before: [vertices, 3] where the cloth was a small step ago.
        free: [vertices] 0 = pinned.
        nearest: [vertices] from :func:`find_nearest`.
        body: [points, 3] of the body's surface, a few centimetres apart at most.
        earlier: [points, 3] the same a small step ago.
        normals: [points, 3] outwards, unit.
        margin: [points] how far cloth stays away, metres.
    """
    for i in range(len(position)):
        j = nearest[i]
        if free[i] == 0.0 or j < 0:
            continue
        squared, out = 0.0, 0.0
        for k in range(3):
            off = position[i, k] - body[j, k]
            out += off * normals[j, k]
            squared += off * off
        deep = margin[j] - out
        along = np.sqrt(max(squared - out * out, 0.0))
        if deep <= 0.0 or along > SIDEWAYS + 0.5 * abs(out):
            continue
        slip_x = position[i, 0] - before[i, 0] - body[j, 0] + earlier[j, 0]
        slip_y = position[i, 1] - before[i, 1] - body[j, 1] + earlier[j, 1]
        slip_z = position[i, 2] - before[i, 2] - body[j, 2] + earlier[j, 2]
        across = slip_x * normals[j, 0] + slip_y * normals[j, 1] + slip_z * normals[j, 2]
        slip_x -= across * normals[j, 0]
        slip_y -= across * normals[j, 1]
        slip_z -= across * normals[j, 2]
        length = max(np.sqrt(slip_x * slip_x + slip_y * slip_y + slip_z * slip_z), 1e-12)
        rub = min(1.0, FRICTION * deep / length)
        position[i, 0] += deep * normals[j, 0] - rub * slip_x
        position[i, 1] += deep * normals[j, 1] - rub * slip_y
        position[i, 2] += deep * normals[j, 2] - rub * slip_z
