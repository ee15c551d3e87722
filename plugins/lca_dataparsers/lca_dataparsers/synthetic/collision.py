"""Cloth against a body: vertices that came nearer than a margin are put back, and rub."""

import numpy as np

from lca_shared.rendering.numba_kernel import kernel

CELL = 0.05
"""Side of the cells in which the nearest point is looked for, metres: cloth farther off is not touched."""
SIDEWAYS = 0.03
"""Beyond this distance along the surface (and more the deeper), the nearest point says nothing, metres."""
FRICTION = 0.3
"""Sideways pull over the push away from the body."""


def meet_body(
    position: np.ndarray,
    before: np.ndarray,
    free: np.ndarray,
    body: np.ndarray,
    moved: np.ndarray,
    normals: np.ndarray,
    margin: np.ndarray,
) -> None:
    """Put cloth back outside of a body, in place.

    Each vertex is held against the plane through the body's nearest point, as long as one is within :data:`CELL`.

    Args:
        position: [vertices, 3] of the cloth, metres; changed.
        before: [vertices, 3] where the cloth was a small step ago.
        free: [vertices] 0 = pinned.
        body: [points, 3] of the body's surface, a few centimetres apart at most.
        moved: [points, 3] how they moved in the small step.
        normals: [points, 3] outwards, unit.
        margin: [points] how far cloth stays away, metres.
    """
    low = body.min(axis=0) - 1.5 * CELL
    cells = ((body - low) / CELL).astype(np.int64)
    size = cells.max(axis=0) + 2
    number = (cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2]
    order = np.argsort(number, kind="stable")
    first = np.searchsorted(number[order], np.arange(int(size.prod()) + 1))
    _meet(position, before, free, body, moved, normals, margin, low, size, order, first)


@kernel()
def _meet(position, before, free, body, moved, normals, margin, low, size, order, first):
    for i in range(len(position)):
        if free[i] == 0.0:
            continue
        at_x = int(np.floor((position[i, 0] - low[0]) / CELL))
        at_y = int(np.floor((position[i, 1] - low[1]) / CELL))
        at_z = int(np.floor((position[i, 2] - low[2]) / CELL))
        best, nearest = CELL * CELL, -1
        for cx in range(max(0, at_x - 1), min(size[0], at_x + 2)):
            for cy in range(max(0, at_y - 1), min(size[1], at_y + 2)):
                for cz in range(max(0, at_z - 1), min(size[2], at_z + 2)):
                    cell = (cx * size[1] + cy) * size[2] + cz
                    for place in range(first[cell], first[cell + 1]):
                        j = order[place]
                        x = position[i, 0] - body[j, 0]
                        y = position[i, 1] - body[j, 1]
                        z = position[i, 2] - body[j, 2]
                        squared = x * x + y * y + z * z
                        if squared < best:
                            best, nearest = squared, j
        if nearest < 0:
            continue
        j = nearest
        out = 0.0
        for k in range(3):
            out += (position[i, k] - body[j, k]) * normals[j, k]
        deep = margin[j] - out
        along = np.sqrt(max(best - out * out, 0.0))
        if deep <= 0.0 or along > SIDEWAYS + 0.5 * abs(out):
            continue
        slip_x = position[i, 0] - before[i, 0] - moved[j, 0]
        slip_y = position[i, 1] - before[i, 1] - moved[j, 1]
        slip_z = position[i, 2] - before[i, 2] - moved[j, 2]
        across = slip_x * normals[j, 0] + slip_y * normals[j, 1] + slip_z * normals[j, 2]
        slip_x -= across * normals[j, 0]
        slip_y -= across * normals[j, 1]
        slip_z -= across * normals[j, 2]
        length = max(np.sqrt(slip_x * slip_x + slip_y * slip_y + slip_z * slip_z), 1e-12)
        rub = min(1.0, FRICTION * deep / length)
        position[i, 0] += deep * normals[j, 0] - rub * slip_x
        position[i, 1] += deep * normals[j, 1] - rub * slip_y
        position[i, 2] += deep * normals[j, 2] - rub * slip_z
