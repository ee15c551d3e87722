"""Backgrounds and light: a room, open air, or a plain studio, evaluated along camera rays."""

from dataclasses import dataclass, replace

import numpy as np

from lca_dataparsers.synthetic.noise import fractal_noise, lattice_noise
from lca_dataparsers.synthetic.palette import linear, random_cloth

EVEN = 0.95
"""Linear light of a dome that is lit alike on all sides."""


@dataclass(frozen=True)
class Environment:
    """Light and surroundings of one clip; colours are linear RGB [3]. The floor is z = 0."""

    kind: str
    """``room``, ``outdoors`` or ``studio``."""
    key_direction: np.ndarray
    """Unit vector towards the main light."""
    key_color: np.ndarray
    key_radius: float
    """Half angle of the main light, radians: soft shadows."""
    sky: np.ndarray
    """Light from above."""
    ground: np.ndarray
    """Light from below."""
    colors: np.ndarray
    """[6, 3] of walls, floor and things."""
    size: np.ndarray
    """[3] half width, half depth and height of a room, metres."""
    seed: int


def random_environment(random: np.random.Generator, kind: str) -> Environment:
    """Surroundings of a wild clip (``wild``: a room or open air) or a studio (``studio``)."""
    if kind == "studio":
        grey = random.uniform(0.18, 0.4)
        tint = np.array([1.0, 1.0, 1.0]) + random.uniform(-0.03, 0.03, 3)
        direction = _direction(0.3, 1.0)
        return Environment(
            "studio",
            direction,
            np.full(3, 0.7),
            0.45,
            np.full(3, 0.75),
            np.full(3, 0.45),
            np.tile(grey * tint, (6, 1)),
            np.ones(3),
            0,
        )
    outdoors = random.random() < 0.45
    warmth = random.uniform(-1, 1)
    key = np.array([1.0 + 0.12 * warmth, 1.0, 1.0 - 0.15 * warmth])
    contrast = random.uniform(0.35, 1.3) if outdoors else random.uniform(0.3, 0.9)
    ambient = 1.05 - 0.45 * contrast
    colors = random_cloth(random, 6) * 0.75 + 0.08
    if outdoors:
        ground = linear(np.array([[0.42, 0.5, 0.28], [0.5, 0.48, 0.45], [0.62, 0.55, 0.42]])[random.integers(3)])
        colors[0], sky = ground, np.array([0.85, 0.95, 1.1])
    else:
        wall = linear(random.uniform(0.55, 0.9, 3) * np.array([1.0, 0.97, 0.92]))
        colors[1], sky = wall, 0.5 * wall / wall.mean() + 0.5
        colors[0] = linear(np.array([0.55, 0.42, 0.3]) * random.uniform(0.5, 1.3))
    return Environment(
        "outdoors" if outdoors else "room",
        _direction(random.uniform(-np.pi, np.pi), random.uniform(0.5, 1.2)),
        key * contrast,
        0.06 if outdoors and contrast > 0.9 else 0.3,
        sky * ambient,
        (0.35 + 0.5 * colors[0]) * ambient * 0.8,
        colors,
        np.array([random.uniform(2.5, 4.5), random.uniform(2.5, 4.5), random.uniform(2.5, 3.2)]),
        int(random.integers(1000)),
    )


def evenly_lit(environment: Environment) -> Environment:
    """The same surroundings under light from all sides alike, as in a capture dome: shade is where sky is hidden."""
    return replace(environment, key_color=np.zeros(3), sky=np.full(3, EVEN), ground=np.full(3, EVEN))


def surroundings(
    environment: Environment, origin: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What rays that miss the person see.

    Args:
        environment: the surroundings.
        origin: [3] camera position, metres.
        directions: [n, 3] unit vectors.

    Returns:
        Light [n, 3]; points on the floor [n, 3]; and which rays meet the floor (there shadows fall), [n] bool.
    """
    floor_distance = np.where(directions[:, 2] < -1e-4, -origin[2] / np.minimum(directions[:, 2], -1e-4), np.inf)
    if environment.kind == "studio":
        glow = 1.0 + 0.06 * directions[:, 2]
        return (
            environment.colors[0][None] * glow[:, None],
            np.zeros((len(directions), 3)),
            np.zeros(len(directions), bool),
        )
    if environment.kind == "outdoors":
        light = _open_air(environment, directions)
        on_floor = floor_distance < 60
    else:
        light, wall_distance = _walls(environment, origin, directions)
        on_floor = floor_distance < wall_distance
    points = origin + directions * np.where(on_floor, floor_distance, 0.0)[:, None]
    light[on_floor] = _floor(environment, points[on_floor], floor_distance[on_floor])
    return light, points, on_floor


def _open_air(environment: Environment, directions: np.ndarray) -> np.ndarray:
    up = np.clip(directions[:, 2], 0, 1)[:, None]
    blue, haze = linear(np.array([0.45, 0.62, 0.85])), linear(np.array([0.82, 0.87, 0.92]))
    light = haze * (1 - up**0.6) + blue * up**0.6
    flat = directions[:, :2] / np.maximum(np.linalg.norm(directions[:, :2], axis=1, keepdims=True), 1e-6)
    around = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
    elevation = np.arcsin(np.clip(directions[:, 2], -1, 1))
    for index, (low, frequency) in enumerate(((0.28, 3.0), (0.16, 9.0))):
        height = low + 0.1 * fractal_noise(around, frequency, 3, environment.seed + index)
        built = index == 0 and environment.seed % 2 == 0
        if built:
            blocks = np.floor(np.arctan2(flat[:, 1], flat[:, 0]) * 4) + 0.5
            height = 0.2 + 0.18 * lattice_noise(
                np.stack([blocks, blocks * 0, blocks * 0], axis=-1), 1.0, environment.seed
            )
        color = (
            environment.colors[2 + index] * 0.6 if built else linear(np.array([0.3, 0.42, 0.25])) * (0.5 + 0.4 * index)
        )
        inside = elevation < height
        texture = 1 + 0.35 * fractal_noise(directions[inside], 14.0, 3, environment.seed + 5)
        light[inside] = (0.75 * color + 0.25 * haze) * texture[:, None]
    return light


def _walls(environment: Environment, origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = environment.size[:2] + np.maximum(np.abs(origin[:2]) + 0.3 - environment.size[:2], 0)
    safe = np.where(np.abs(directions) < 1e-6, 1e-6, directions)
    to_walls = (np.sign(safe[:, :2]) * half - origin[:2]) / safe[:, :2]
    ceiling = np.where(safe[:, 2] > 0, (environment.size[2] - origin[2]) / safe[:, 2], np.inf)
    axis = np.argmin(to_walls, axis=1)
    distance = to_walls.min(axis=1)
    points = origin + directions * distance[:, None]
    along = np.where(axis == 0, points[:, 1], points[:, 0])
    wall = axis + 2 * (np.take_along_axis(safe[:, :2], axis[:, None], 1)[:, 0] > 0)
    light = environment.colors[1] * (1 + 0.05 * fractal_noise(points, 2.0, 3, environment.seed))[:, None]
    for index in range(7):  # pictures, shelves, windows: rectangles on the walls
        shift = lattice_noise(np.array([[index * 1.7, 0.3, environment.seed * 0.1]]), 1.0, 77)[0]
        middle, height = 2.2 * shift * 1.6, 1.2 + 0.6 * np.sin(index * 2.3 + environment.seed)
        half_width, half_height = 0.25 + 0.2 * (index % 3), 0.2 + 0.22 * ((index + environment.seed) % 4)
        inside = (wall == (index + environment.seed) % 4) & (np.abs(along - middle) < half_width)
        inside &= np.abs(points[:, 2] - height) < half_height
        inside = np.flatnonzero(inside)
        texture = 1 + 0.5 * fractal_noise(points[inside], 5.0, 2, environment.seed + index)
        light[inside] = environment.colors[2 + index % 4] * texture[:, None]
        across, up = np.abs(along[inside] - middle), np.abs(points[inside, 2] - height)
        light[inside[(across > half_width - 0.04) | (up > half_height - 0.04)]] = 0.05  # its frame
    skirting = points[:, 2] < 0.1
    light[skirting] *= 0.5
    corner = np.minimum(np.abs(np.abs(along) - half[1 - axis]) / 0.5, 1.0)
    light *= (0.7 + 0.3 * corner)[:, None] * (environment.sky + environment.key_color * 0.3).mean() * 0.7
    top = ceiling < distance
    light[top] = np.array([0.75, 0.74, 0.72]) * environment.sky
    return light, np.where(top, np.inf, distance)


def _floor(environment: Environment, points: np.ndarray, distance: np.ndarray) -> np.ndarray:
    noise = fractal_noise(points, 3.0, 3, environment.seed)
    color = environment.colors[0] * (1 + 0.25 * noise)[:, None]
    if environment.kind == "room":
        boards = np.mod(points[:, 0], 0.18) < 0.008
        tone = lattice_noise(np.floor(points / 0.18) * np.array([1.0, 0, 0]) + 0.1, 1.0, environment.seed)
        color *= (1 + 0.15 * tone - 0.5 * boards)[:, None]
    light = environment.sky + environment.key_color * max(environment.key_direction[2], 0.0)
    color = color * light * 0.75
    if environment.kind == "outdoors":
        fade = np.clip(distance / 45, 0, 1)[:, None]
        color = color * (1 - fade) + linear(np.array([0.7, 0.74, 0.72])) * fade
    return color


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    return np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
