"""Loose garments: outfits with a skirt, a dress or a coat that swings, and the cloth of its swinging part."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from lca_dataparsers.synthetic.body_fields import BodyFields, smoothstep
from lca_dataparsers.synthetic.cloth import Cloth, make_cloth
from lca_dataparsers.synthetic.garments import Garment, grid_faces, outline, tube_paint
from lca_dataparsers.synthetic.layers import Layer
from lca_dataparsers.synthetic.wardrobe import SKIRT_PATTERNS, bottom, random_paint, shoes, top

LOOSE = ("skirt", "dress", "coat")
AROUND = 72
"""Cells around a swinging part."""
CELL_HEIGHT = 0.028
"""Height of its cells, metres."""
PLEATS = 14
WAISTBAND = 0.4
"""Share of a garment's distance from the skin at its upper edge, over which the upper part of a dress or coat lies."""
_FRONT = 1.5 * np.pi
"""Azimuth of the front (-Y), radians."""


@dataclass(frozen=True)
class SwingingPart:
    """The part of a garment that is simulated: a tube around hips and legs, open in front or not."""

    layer: Layer
    """To be drawn; vertices row by row, where it is closed with the first column again as the last."""
    cloth: Cloth
    columns: int
    """Of the layer; the cloth has one less where it is closed."""

    def drawn(self, vertices: np.ndarray) -> np.ndarray:
        """The layer's vertices [..., layer vertices, 3] from the cloth's [..., cloth vertices, 3]."""
        rings, columns = self.cloth.rest.shape[:2]
        grid = vertices.reshape(*vertices.shape[:-2], rings, columns, 3)
        if self.cloth.closed:
            grid = np.concatenate([grid, grid[..., :1, :]], axis=-2)
        return grid.reshape(*vertices.shape[:-2], rings * self.columns, 3)


def loose_outfit(random: np.random.Generator, fields: BodyFields, kind: str) -> list[Garment]:
    """Garments from the inside outwards, with one of :data:`LOOSE` among them."""
    hip, knee = fields.height("upperleg01.L"), fields.height("lowerleg01.L")
    waist = fields.height("spine03") - random.uniform(0.04, 0.08)
    outfit = [shoes(random, fields)]
    pattern = str(random.choice(SKIRT_PATTERNS))
    if kind == "coat":
        legs = str(random.choice(["trousers", "leggings", "shorts"], p=[0.6, 0.3, 0.1]))
        inner = replace(bottom(random, fields, legs, waist), thickness=0.006, flare=0.006, smoothing=4)
        shirt = replace(top(random, fields, waist), thickness=0.007, flare=0.0, smoothing=4, hem=waist - 0.06)
        cloth = random_paint(random, str(random.choice(["plain", "plain", "checks", "pinstripes"])))
        gap = float(random.choice([0.012, 0.05, 0.09]))
        upper = Garment(
            *("coat", "top"), waist - 0.05, sleeve=fields.arm_length * random.uniform(0.9, 0.98), neck=0.05,
            open_front=gap, thickness=0.026, flare=0.0, smoothing=8, paint=cloth, loose=True,
        )  # fmt: skip
        hem = knee + random.uniform(-0.22, 0.12)
        lower = Garment(
            *("coat_skirt", "swinging"), hem, waist - 0.01, thickness=0.024, flare=random.uniform(0.14, 0.26),
            open_front=gap, paint=cloth, loose=True,
        )  # fmt: skip
        return [*outfit, inner, shirt, lower, upper]
    cloth = random_paint(random, pattern)
    flare = random.uniform(0.24, 0.42)
    if kind == "skirt":
        shirt = replace(top(random, fields, waist), hem=waist - 0.03, thickness=0.005, flare=0.0, smoothing=4)
        hem = random.uniform(knee - 0.2, 0.35 * knee + 0.65 * hip)
        skirt = Garment("skirt", "swinging", hem, waist, thickness=0.02, flare=flare, paint=cloth, loose=True)
        return [*outfit, shirt, skirt]
    sleeve = float(random.choice([-0.035, 0.15, 0.45]))
    neck = random.uniform(0.05, 0.11)
    bodice = Garment(
        *("bodice", "top"), waist - 0.025, sleeve=sleeve, neck=neck, neck_width=0.1, thickness=0.015, paint=cloth,
        loose=True,
    )  # fmt: skip
    hem = random.uniform(knee - 0.26, 0.5 * knee + 0.5 * hip)
    return [
        *outfit,
        bodice,
        Garment("dress", "swinging", hem, waist, thickness=0.012, flare=flare, paint=cloth, loose=True),
    ]


def swinging_part(garment: Garment, fields: BodyFields, skin: np.ndarray) -> SwingingPart:
    """The tube of a garment around ``skin`` [vertices, 3], the person's neutral rest surface: it widens downwards, in
    soft pleats, and hangs on its upper edge."""
    gap = garment.open_front / 0.16
    closed = gap == 0.0
    azimuth = np.linspace(_FRONT - 2 * np.pi + gap, _FRONT - gap, AROUND + 1)
    rings = max(6, round((garment.upper - garment.hem) / CELL_HEIGHT) + 1)
    heights = np.linspace(garment.upper, garment.hem, rings)
    circle = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
    widest: np.ndarray = np.zeros(AROUND + 1)
    rest, painted = [], []
    for z in heights:
        middle, support, level = outline(fields, skin, z, circle, garment.upper)
        widest = np.maximum(widest, support)
        down = garment.upper - z
        pleats = 1.0 + 0.04 * np.sin(azimuth * PLEATS) * smoothstep(0.0, 0.4, np.array([down]))
        held = garment.thickness * (WAISTBAND + (1 - WAISTBAND) * smoothstep(0.0, 0.08, np.array([down])))
        radius = (widest + held + garment.flare * down) * pleats
        rest.append(np.concatenate([circle * radius[:, None] + middle, np.full((AROUND + 1, 1), level)], axis=1))
        painted.append(tube_paint(circle, z))
    points = np.stack(rest)
    if closed:
        points[:, -1] = points[:, 0]
    cloth = make_cloth(points[:, :-1] if closed else points, closed)
    layer = Layer(
        garment.name,
        points.reshape(-1, 3),
        _followed(fields, skin, points.reshape(-1, 3)),
        grid_faces(rings, AROUND + 1),
        np.concatenate(painted),
    )
    return SwingingPart(layer, cloth, AROUND + 1)


def _followed(fields: BodyFields, skin: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Skinning weights [points, active] of the nearest skin of the trunk: the upper edge is held by them, and the rest
    hangs by them before it is simulated."""
    trunk = np.flatnonzero(fields.arm_weight < 0.02)
    _, near = cKDTree(skin[trunk]).query(points, k=4)
    return fields.weights[trunk[near]].mean(axis=1)
