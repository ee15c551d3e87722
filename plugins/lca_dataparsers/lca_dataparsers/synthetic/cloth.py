"""A piece of cloth on a grid that falls, swings and slides on a moving body: extended position-based dynamics in small
steps (Macklin, Müller, Chentanez 2016; Macklin et al. 2019).

Metres, seconds; every vertex weighs the same, so compliances are in s² (metres of give per m/s² of pull). Constraints
are solved one after another from the pinned edge downwards, in a fixed order: the same start gives the same bits.
"""

from dataclasses import dataclass

import numpy as np

from lca_dataparsers.synthetic.collision import body_bins, find_nearest, meet_body
from lca_shared.rendering.numba_kernel import kernel

GRAVITY = 9.81
SUBSTEPS = 6
"""Small steps in a step; one round over the constraints each."""
SEARCH_EVERY = 2
"""Small steps between searches for the nearest point of the body."""
RUB = 1.5
"""Share of the speed that threads and folds take by rubbing, per second."""
DRAG = 3.6
"""Share of the speed that air takes, per second at 1 m/s (drag grows with the square of the speed): half of 1.2 kg/m³
times a drag coefficient of 1.2 over cloth of 0.2 kg/m²."""
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
    found = np.empty((len(around.body), *start.shape))
    found[0] = start
    free = np.ones(len(start))
    free[: cloth.rest.shape[1]] = 0.0
    give = cloth.compliance / (around.step / SUBSTEPS) ** 2
    pinned, body, normals = (
        np.ascontiguousarray(path, np.float64) for path in (around.pinned, around.body, around.normals)
    )
    small = around.step / SUBSTEPS
    path = (pinned, body, normals, around.margin)
    _swing(found, free, cloth.pairs, cloth.lengths, give, *path, small, RUB, DRAG)
    return found


@kernel()
def _swing(found, free, pairs, lengths, give, pinned, body, normals, margin, small, rub, drag):
    position, speed = found[0].copy(), np.zeros(found[0].shape)
    before, nearest = position.copy(), np.full(len(position), -1)
    now, earlier = body[0].copy(), body[0].copy()
    for step in range(1, len(found)):
        bins = body_bins(0.5 * (body[step - 1] + body[step]))
        for part in range(SUBSTEPS):
            share = (part + 1) / SUBSTEPS
            earlier[:] = now
            now[:] = body[step - 1] + share * (body[step] - body[step - 1])
            before[:] = position
            _fall(position, speed, free, small, rub, drag)
            held = pinned.shape[1]
            position[:held] = pinned[step - 1] + share * (pinned[step] - pinned[step - 1])
            _hold(position, free, pairs, lengths, give)
            if part % SEARCH_EVERY == 0:
                find_nearest(position, now, bins, nearest)
            meet_body(position, before, free, nearest, now, earlier, normals[step], margin)
            _speeds(position, before, speed, small)
        found[step] = position


@kernel()
def _fall(position, speed, free, step, rub, drag):
    for i in range(len(position)):
        if free[i] > 0.0:
            speed[i, 2] -= GRAVITY * step
            fast = np.sqrt(speed[i, 0] ** 2 + speed[i, 1] ** 2 + speed[i, 2] ** 2)
            kept = np.exp(-rub * step) / (1.0 + drag * fast * step)
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
        x = position[a, 0] - position[b, 0]
        y = position[a, 1] - position[b, 1]
        z = position[a, 2] - position[b, 2]
        length = max(np.sqrt(x * x + y * y + z * z), 1e-9)
        share = (lengths[c] - length) / (weight + give[c]) / length
        first, second = share * free[a], -share * free[b]
        position[a, 0] += first * x
        position[a, 1] += first * y
        position[a, 2] += first * z
        position[b, 0] += second * x
        position[b, 1] += second * y
        position[b, 2] += second * z


@kernel()
def _speeds(position, before, speed, step):
    for i in range(len(position)):
        squared = 0.0
        for k in range(3):
            speed[i, k] = (position[i, k] - before[i, k]) / step
            squared += speed[i, k] ** 2
        if squared > TOP_SPEED * TOP_SPEED:
            for k in range(3):
                speed[i, k] *= TOP_SPEED / np.sqrt(squared)
