"""A piece of cloth on a grid that falls, swings and slides on a moving body: extended position-based dynamics in small
steps (Macklin, Müller, Chentanez 2016; Macklin et al. 2019).

Metres, seconds; every vertex weighs the same, so compliances are in s² (metres of give per m/s² of pull). Constraints
are solved one after another from the pinned edge downwards, in a fixed order: the same start gives the same bits.
"""

from dataclasses import dataclass

import numpy as np

from lca_dataparsers.synthetic.collision import meet_body
from lca_shared.rendering.numba_kernel import kernel

GRAVITY = 9.81
SUBSTEPS = 6
"""Small steps in a step; one round over the constraints each."""
AIR = 1.5
"""Share of the speed that air takes, per second."""
TOP_SPEED = 8.0
"""m/s; legs are slower."""
SHEAR, BEND = 2e-5, 4e-4
"""Compliances of diagonals and of edges across two cells, s². Threads do not give."""


@dataclass(frozen=True)
class Cloth:
    """What a piece of cloth is at rest."""

    rest: np.ndarray
    """[rings, columns, 3] metres; ring 0 is pinned."""
    closed: bool
    """Whether the last column is joined to the first."""
    pairs: np.ndarray
    """int32 [constraints, 2] vertices (row by row), in the order in which they are solved."""
    lengths: np.ndarray
    """[constraints] metres."""
    compliance: np.ndarray
    """[constraints] s²."""

    @property
    def threads(self) -> np.ndarray:
        """[constraints] bool: edges of the grid, which do not give."""
        return self.compliance == 0.0

    def stretch(self, vertices: np.ndarray) -> np.ndarray:
        """Length of every thread over its rest length, [..., threads], for vertices [..., rings * columns, 3]."""
        first, second = self.pairs[self.threads].T
        return np.linalg.norm(vertices[..., first, :] - vertices[..., second, :], axis=-1) / self.lengths[self.threads]


def make_cloth(rest: np.ndarray, closed: bool) -> Cloth:
    """A piece of cloth that is at ease at ``rest`` [rings, columns, 3]."""
    rings, columns = rest.shape[:2]
    pairs: list[tuple[int, int]] = []
    compliance: list[float] = []

    def add(ring: int, column: int, down: int, along: int, give: float) -> None:
        if ring + down >= rings or not (closed or 0 <= column + along < columns):
            return
        pairs.append((ring * columns + column, (ring + down) * columns + (column + along) % columns))
        compliance.append(give)

    for ring in range(rings):
        for down, along, give in ((1, 0, 0.0), (0, 1, 0.0), (1, 1, SHEAR), (1, -1, SHEAR), (2, 0, BEND), (0, 2, BEND)):
            for column in range(columns):
                add(ring, column, down, along, give)
    index = np.array(pairs, np.int32)
    points = rest.reshape(-1, 3)
    lengths = np.linalg.norm(points[index[:, 0]] - points[index[:, 1]], axis=1)
    return Cloth(rest, closed, index, lengths, np.array(compliance))


@dataclass(frozen=True)
class Surroundings:
    """What moves a piece of cloth, at T steps."""

    step: float
    """Seconds between them."""
    pinned: np.ndarray
    """[T, columns, 3] where ring 0 is held, metres."""
    body: np.ndarray
    """[T, points, 3] points of the body's surface."""
    normals: np.ndarray
    """[T, points, 3] outwards, unit."""
    margin: np.ndarray
    """[points] how far cloth stays away, metres."""


def swing(cloth: Cloth, start: np.ndarray, around: Surroundings) -> np.ndarray:
    """Where the cloth is at each step.

    Args:
        cloth: at rest.
        start: [rings * columns, 3] where it is at the first step, at rest.
        around: what moves it.

    Returns:
        [T, rings * columns, 3] metres; the first is ``start`` itself.
    """
    position, speed = np.array(start, np.float64), np.zeros(start.shape)
    free = np.ones(len(position))
    free[: cloth.rest.shape[1]] = 0.0
    small = around.step / SUBSTEPS
    found = np.empty((len(around.body), *position.shape))
    found[0] = position
    for step in range(1, len(around.body)):
        for part in range(SUBSTEPS):
            share = (part + 1) / SUBSTEPS
            _fall(position, speed, free, small, np.exp(-AIR * small))
            before = position - speed * small * free[:, None]
            position[: cloth.rest.shape[1]] = _between(around.pinned, step, share)
            _hold(position, free, cloth.pairs, cloth.lengths, cloth.compliance / small**2)
            body, earlier = (_between(around.body, step, share - back / SUBSTEPS) for back in (0, 1))
            meet_body(position, before, free, body, body - earlier, around.normals[step], around.margin)
            _speeds(position, before, speed, small, TOP_SPEED)
        found[step] = position
    return found


def _between(path: np.ndarray, step: int, share: float) -> np.ndarray:
    return path[step - 1] + share * (path[step] - path[step - 1])


@kernel()
def _fall(position, speed, free, step, kept):
    for i in range(len(position)):
        if free[i] > 0.0:
            speed[i, 2] -= GRAVITY * step
            for k in range(3):
                speed[i, k] *= kept
                position[i, k] += speed[i, k] * step


@kernel()
def _hold(position, free, pairs, lengths, give):
    for c in range(len(pairs)):
        a, b = pairs[c, 0], pairs[c, 1]
        weight = free[a] + free[b]
        if weight == 0.0:
            continue
        x, y, z = (
            position[a, 0] - position[b, 0],
            position[a, 1] - position[b, 1],
            position[a, 2] - position[b, 2],
        )
        length = max(np.sqrt(x * x + y * y + z * z), 1e-9)
        share = (lengths[c] - length) / (weight + give[c]) / length
        for end in range(2):
            i = a if end == 0 else b
            moved = share * free[i] * (1.0 - 2.0 * end)
            position[i, 0] += moved * x
            position[i, 1] += moved * y
            position[i, 2] += moved * z


@kernel()
def _speeds(position, before, speed, step, top):
    for i in range(len(position)):
        squared = 0.0
        for k in range(3):
            speed[i, k] = (position[i, k] - before[i, k]) / step
            squared += speed[i, k] ** 2
        if squared > top * top:
            for k in range(3):
                speed[i, k] *= top / np.sqrt(squared)
