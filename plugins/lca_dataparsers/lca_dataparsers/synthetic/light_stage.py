"""A light stage: point lights on a dome, some of which shine at each moment; nothing else does.

Linear light that a matt surface sends to the camera is
``albedo * POWER * sum_i intensity_i * (RADIUS / distance_i)^2 * cos_i * visible_i``: lights are points, shadows are
cast by Embree, and there is no other light, so that ``lights.json`` is the exact truth of a picture.
"""

from dataclasses import dataclass

import numpy as np

from lca_dataparsers.dataset.lights import LightPattern, LightRig
from lca_dataparsers.synthetic.materials import shade_inputs
from lca_dataparsers.synthetic.noise import stream
from lca_dataparsers.synthetic.person import EYE, HAIR, Appearance
from lca_dataparsers.synthetic.scene import Hits, Scene, dot, unit

LIGHTS, PATTERNS, LIT = 32, 16, 5
"""Lights of the dome, partially lit patterns, and how many lights shine in each of those."""
RADIUS = 2.8
"""Metres from the middle of the person to the lights."""
MIDDLE = (0.0, 0.0, 1.0)
POWER = 0.8
FULL = 0.12
"""Intensity of every light in the fully lit pattern: skin and white cloth are nearly as bright as a picture can hold.
(At 0.2, up to a fifth of a person is overexposed, and pale skin loses its hue.)"""
BACKDROP = 0.004
"""Linear grey of what is behind the person."""


@dataclass(frozen=True)
class StageLight:
    """What shines at one moment."""

    positions: np.ndarray
    """[lights, 3] metres, world."""
    intensities: np.ndarray
    """[lights], or [lights, 3] of coloured lights."""


def stage_rig(seed: int) -> LightRig:
    """The dome of a dataset: the same for all its people. Pattern 0 is fully lit."""
    random = stream("dome", seed)
    turn = np.arange(LIGHTS) * np.pi * (3.0 - np.sqrt(5.0)) + random.uniform(0, 2 * np.pi)
    height = 1.0 - 1.45 * (np.arange(LIGHTS) + 0.5) / LIGHTS  # down to 27 degrees below the middle
    flat = np.sqrt(1.0 - height**2)
    directions = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=-1)
    full = LightPattern(tuple(range(LIGHTS)), (FULL,) * LIGHTS, fully_lit=True)
    partial = []
    for _ in range(PATTERNS):
        chosen = sorted(int(light) for light in random.choice(LIGHTS, LIT, replace=False))
        values = tuple(float(value) for value in random.uniform(0.3, 1.0, LIT).round(3))
        partial.append(LightPattern(tuple(chosen), values, fully_lit=False))
    return LightRig(np.array(MIDDLE) + RADIUS * directions, (full, *partial))


def pattern_of(moment: int) -> int:
    """Fully lit and partially lit moments take turns."""
    return 0 if moment % 2 == 0 else 1 + (moment // 2) % PATTERNS


def stage_light(rig: LightRig, pattern: int) -> StageLight:
    """The lights that shine in a pattern."""
    shining = rig.patterns[pattern]
    return StageLight(rig.positions[list(shining.lights)], np.array(shining.intensities))


def shade_on_stage(person: Appearance, scene: Scene, light: StageLight, hits: Hits, view: np.ndarray) -> np.ndarray:
    """Linear light [n, 3] from hit points towards the camera, seen along ``view`` [n, 3]."""
    facing = np.where(dot(hits.flat, view) > 0, np.float32(-1), np.float32(1))[:, None]
    flat, normals = hits.flat * facing, hits.normal * facing
    materials = scene.mesh.materials[hits.face]
    albedo, gloss = (values.astype(np.float32) for values in shade_inputs(person, materials, hits.paint))
    sharp = np.where(materials == EYE, 180.0, np.where(materials == HAIR, 14.0, 24.0)).astype(np.float32)
    raised = hits.point + flat * np.float32(0.002)
    total = np.zeros((len(raised), 3), np.float32)
    for position, intensity in zip(light.positions, light.intensities):
        toward = position.astype(np.float32) - raised
        distance = np.sqrt(dot(toward, toward))
        toward /= np.maximum(distance, 1e-6)[:, None]
        cosine = np.clip(dot(normals, toward), 0, None) * (dot(flat, toward) > 0)
        lit = np.flatnonzero(cosine > 0)
        if not len(lit):
            continue
        seen = ~scene.occluded(raised[lit], toward[lit], float(distance[lit].min()))
        lit = lit[seen]
        power = np.atleast_1d(np.float32(POWER * intensity)) * ((RADIUS / distance[lit]) ** 2)[:, None]
        shine = np.clip(dot(normals[lit], unit(toward[lit] - view[lit])), 0, 1) ** sharp[lit] * gloss[lit] * 0.6
        total[lit] += power * cosine[lit, None] * albedo[lit] + power * shine[:, None]
    return total
