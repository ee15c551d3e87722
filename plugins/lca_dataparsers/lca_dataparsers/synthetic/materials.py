"""Albedo and gloss of every material at points of a person's surface."""

import numpy as np

from lca_dataparsers.synthetic.body_fields import body_fields, smoothstep
from lca_dataparsers.synthetic.fabrics import fabric
from lca_dataparsers.synthetic.hair import STYLES, end_elevation, hair_angles
from lca_dataparsers.synthetic.noise import fractal_noise, lattice_noise
from lca_dataparsers.synthetic.person import CLOTH, EYE, HAIR, MOUTH, SKIN, Appearance


def shade_inputs(person: Appearance, materials: np.ndarray, paint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Albedo [n, 3] (linear RGB) and gloss [n] (0 matt .. 1 wet) at ``paint`` [n, 5] of ``materials`` [n]."""
    albedo = np.zeros((len(paint), 3))
    gloss = np.zeros(len(paint))
    for material in np.unique(materials):
        here = materials == material
        albedo[here], gloss[here] = _evaluate(person, int(material), paint[here])
    return np.clip(albedo, 0.0, 0.95), gloss


def _evaluate(person: Appearance, material: int, paint: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
    if material == SKIN:
        return skin_albedo(person, paint)
    if material == EYE:
        return eye_albedo(person, paint), 0.9
    if material == MOUTH:
        return mouth_albedo(paint), 0.4
    if material == HAIR:
        return hair_albedo(person, paint), 0.35
    garment = person.outfit[material - CLOTH]
    albedo = fabric(body_fields(), paint, garment.paint)
    if garment.kind == "shoes":
        sole = paint[:, 2] < float(garment.paint["sole"])  # type: ignore[arg-type]
        albedo[sole] = float(garment.paint["sole_color"])  # type: ignore[arg-type]
        return albedo, 0.25
    return albedo, 0.03


def hair_albedo(person: Appearance, paint: np.ndarray) -> np.ndarray:
    """Strands of differing tone along the meridians; darker at the roots."""
    azimuth, length, share, strand = paint.T[:4]
    circle = np.stack([np.cos(azimuth * 2 * np.pi), np.sin(azimuth * 2 * np.pi), length * 1.5], axis=-1)
    fine = lattice_noise(circle, 34.0, 3) * 0.6 + lattice_noise(circle, 12.0, 4) * 0.4
    tone = 1.0 + 0.35 * fine + 0.25 * strand
    return person.hair[None] * np.clip(tone, 0.3, 1.8)[:, None] * (0.7 + 0.3 * smoothstep(0.0, 0.5, share))[:, None]


def eye_albedo(person: Appearance, paint: np.ndarray) -> np.ndarray:
    """Sclera, iris with a dark rim, pupil: circles about the optical axis, which looks along -Y at rest."""
    fields = body_fields()
    centers = np.where(paint[:, :1] > 0, fields.joints["eye.L"], fields.joints["eye.R"])
    direction = paint[:, :3] - centers
    angle = np.arccos(np.clip(-direction[:, 1] / np.maximum(np.linalg.norm(direction, axis=1), 1e-9), -1, 1))
    albedo = np.tile(np.array([0.58, 0.55, 0.52]), (len(paint), 1))
    spokes = 1.0 + 0.3 * np.sin(np.arctan2(direction[:, 0], direction[:, 2]) * 24)
    iris = angle < 0.44
    albedo[iris] = (person.iris[None] * spokes[:, None])[iris]
    albedo[(angle > 0.38) & iris] *= 0.35
    albedo[angle < 0.19] = 0.004
    return albedo


def mouth_albedo(paint: np.ndarray) -> np.ndarray:
    """Dark red inside, a band of teeth behind the upper lip."""
    fields = body_fields()
    jaw = fields.joints["eye.L"]
    below = jaw[2] - paint[:, 2]
    teeth = (below > 0.050) & (below < 0.066) & (paint[:, 1] > -0.16) & (paint[:, 1] < jaw[1] + 0.02)
    return np.where(teeth[:, None], np.array([0.72, 0.68, 0.6]), np.array([0.25, 0.045, 0.05]))


def skin_albedo(person: Appearance, paint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skin with blush, freckles, lips, brows, lashes, beard, nails left out; scalp under hair; socks."""
    fields = body_fields()
    position = paint[:, :3]
    tone = 1.0 + 0.05 * fractal_noise(position, 30.0, 3, person.seed % 1000)
    albedo = person.skin[None] * tone[:, None]
    gloss = np.full(len(paint), 0.12)
    head = position[:, 2] > fields.height("neck01") - 0.02
    if head.any():
        albedo[head] = _face(person, position[head], albedo[head])
        albedo[head] *= (1 - 0.75 * smoothstep(0.55, 0.95, paint[head, 4]))[:, None]
    socks = (position[:, 2] < fields.height("foot.L") + person.socks) & (paint[:, 3] < 0.01)
    albedo[socks] = 0.55 if person.seed % 2 else 0.04
    return albedo, gloss


def _face(person: Appearance, position: np.ndarray, albedo: np.ndarray) -> np.ndarray:
    fields = body_fields()
    left = fields.joints["eye.L"]
    scale = 2 * left[0]  # distance between the eyes
    u, w = position[:, 0] / scale, (position[:, 2] - left[2]) / scale
    front = smoothstep(left[1] + 0.09, left[1] + 0.02, position[:, 1])
    side = np.abs(u)

    def blend(mask: np.ndarray, color: np.ndarray) -> None:
        albedo[:] = albedo * (1 - mask[:, None]) + color * mask[:, None]

    blush = np.exp(-(((side - 0.75) / 0.35) ** 2) - ((w + 0.75) / 0.3) ** 2) + 0.7 * np.exp(
        -((u / 0.25) ** 2) - ((w + 0.72) / 0.2) ** 2
    )
    albedo = albedo * (1 - 0.2 * (blush * front)[:, None] * np.array([0.1, 1.0, 0.9]))
    if person.freckles > 0:
        spots = smoothstep(0.35, 0.6, lattice_noise(position, 260.0, 7)) * np.clip(blush * 1.5, 0, 1) * front
        blend(spots * min(person.freckles, 0.6), person.skin * 0.5)
    arch = 0.40 - 0.28 * (side - 0.55) ** 2 - 0.10 * np.maximum(side - 0.6, 0)
    thickness = 0.075 * person.brows * (1 - 0.5 * smoothstep(0.6, 1.0, side))
    brow = smoothstep(1.0, 0.6, np.abs(w - arch) / thickness) * smoothstep(0.14, 0.22, side)
    brow *= smoothstep(1.0, 0.88, side) * front
    hairs = 0.85 + 0.15 * lattice_noise(position, 500.0, 9)
    blend(np.clip(brow * hairs, 0, 1), person.hair * 0.6)
    mouth = -1.18
    lip_width = 0.42
    across = np.clip(1 - (side / lip_width) ** 2, 0, 1)
    upper = mouth + 0.13 * across**0.7 * (1 - 0.25 * np.exp(-((u / 0.07) ** 2)))
    lower = mouth - 0.16 * across**0.8
    lips = smoothstep(-0.02, 0.02, upper - w) * smoothstep(-0.02, 0.02, w - lower) * (side < lip_width) * front
    blend(lips * 0.8, person.lips)
    if person.beard > 0:
        jaw = smoothstep(-0.75, -0.95, w) * smoothstep(-2.3, -2.05, w) * (1 - lips)
        jaw = np.maximum(jaw, smoothstep(1.05, 1.2, side) * smoothstep(-0.1, -0.4, w) * smoothstep(-2.3, -2.05, w))
        cheek = smoothstep(0.35, 0.75, side) * smoothstep(-1.15, -0.9, w)
        jaw *= (1 - cheek * smoothstep(1.1, 0.9, side)) * smoothstep(left[1] + 0.09, left[1] + 0.05, position[:, 1])
        grain = 0.75 + 0.25 * lattice_noise(position, 350.0, 13)
        blend(np.clip(jaw * grain * (0.9 if person.beard == 1.0 else 0.4), 0, 1), person.hair * 0.8)
    if person.hair_style in STYLES:
        azimuth, elevation = hair_angles(fields, position)
        margin = elevation - end_elevation(STYLES[person.hair_style], azimuth)
        ear = smoothstep(0.069, 0.076, np.abs(position[:, 0]))
        blend(smoothstep(-0.03, 0.06, margin) * (1 - ear * smoothstep(0.5, 0.3, elevation)), person.hair * 0.75)
    return albedo
