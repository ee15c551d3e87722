"""What a synthetic person looks like in words and numbers: exact, read off the appearance that drew the pictures."""

from typing import Any

import numpy as np
import torch

from lca_dataparsers.synthetic.body_fields import BodyFields, body_fields
from lca_dataparsers.synthetic.garments import Garment
from lca_dataparsers.synthetic.palette import CLOTH_COLORS, DENIM, HAIR_COLORS, SKIN_TONES, bytes_to_linear, encoded
from lca_dataparsers.synthetic.person import Appearance

SKIN_NAMES = ("very fair", "fair", "light", "tan", "brown", "dark brown", "very dark")
"""Names of ``palette.SKIN_TONES``; a person has the name of the nearest tone."""
HEIGHTS = ((1.64, "short"), (1.73, "of average height"), (np.inf, "tall"))
"""Metres at rest, upper bounds: about a third of the people each."""
BUILDS = ((0.0213, "slim"), (0.0256, "of average build"), (np.inf, "broad"))
"""Volume over height squared, metres, upper bounds: about a third of the people each."""
DENIM_NAMES = ((0.4, "dark denim"), (1.0, "denim blue"), (np.inf, "light denim"))
"""Brightness over ``palette.DENIM``'s, upper bounds."""


def attributes(person: Appearance) -> dict[str, Any]:
    """Plain values, ready for JSON.

    Returns:
        ``skin``, ``hair`` (``style``, ``color``), ``beard``, ``height`` and ``build`` in words, ``height_metres``,
        ``volume_over_height_squared`` (metres), and ``garments`` from the inside outwards: ``name``, ``pattern``,
        ``colors`` (names, as many as the pattern shows, the ground first), ``length`` or ``sleeves`` in words.
    """
    fields = body_fields()
    height, volume = _size(person)
    build = volume / height**2
    return {
        "skin": skin_name(person.skin),
        "hair": {"style": person.hair_style, "color": color_name(person.hair, HAIR_COLORS)},
        "beard": {0.0: "none", 0.5: "stubble", 1.0: "full"}[person.beard],
        "height": _word(height, HEIGHTS),
        "height_metres": round(height, 4),
        "build": _word(build, BUILDS),
        "volume_over_height_squared": round(build, 5),
        "garments": [garment_attributes(garment, fields) for garment in person.outfit],
    }


def garment_attributes(garment: Garment, fields: BodyFields) -> dict[str, Any]:
    """One garment of :func:`attributes`."""
    pattern = str(garment.paint["pattern"])
    colors = np.asarray(garment.paint["colors"], float)
    if pattern == "denim":
        shade = float((colors[0] / bytes_to_linear(DENIM)).mean()) if garment.name == "trousers" else None
        names = [_word(shade, DENIM_NAMES)] if shade is not None else [color_name(colors[0], CLOTH_COLORS)]
    else:
        names = [color_name(color, CLOTH_COLORS) for color in colors[: _SHOWN.get(pattern, 2)]]
    found: dict[str, Any] = {"name": garment.name, "pattern": pattern, "colors": names}
    if garment.kind == "top":
        found["sleeves"] = _word(garment.sleeve / fields.arm_length, _SLEEVES)
    elif garment.kind == "shoes":
        found["length"] = "high" if garment.upper - fields.height("foot.L") > 0.1 else "low"
    else:
        knee, ankle = fields.height("lowerleg01.L"), fields.height("foot.L")
        found["length"] = _word((garment.hem - ankle) / (knee - ankle), _LENGTHS)
    return found


def color_name(color: np.ndarray, palette: dict[str, tuple[int, int, int]]) -> str:
    """The palette's colour that ``color`` (linear RGB [3]) is a brighter or darker version of; exact for colours that
    the palette's own functions draw, which scale them by 0.85 to 1.15."""
    names = list(palette)
    tones = np.stack([bytes_to_linear(palette[name]) for name in names])
    scale = np.clip((tones @ color) / (tones**2).sum(axis=1), 0.85, 1.15)
    distance = np.linalg.norm(tones * scale[:, None] - color, axis=1) / np.linalg.norm(color)
    return names[int(distance.argmin())]


def skin_name(skin: np.ndarray) -> str:
    """Name of the nearest tone (sRGB) to a skin colour, linear RGB [3]."""
    return SKIN_NAMES[int(np.abs(SKIN_TONES - encoded(skin)).sum(axis=1).argmin())]


_SHOWN = {"plain": 1, "checks": 3, "camouflage": 3, "blocks": 3}
"""Colours that a pattern shows; the others show two."""
_SLEEVES = ((0.0, "no"), (0.7, "short"), (np.inf, "long"))
"""Share of the arm's length, upper bounds."""
_LENGTHS = ((0.45, "long"), (1.1, "knee-length"), (np.inf, "short"))
"""Hem above the ankle over the knee's height above it, upper bounds."""


def _word(value: float, bounds: tuple[tuple[float, str], ...]) -> str:
    return next(word for bound, word in bounds if value <= bound)


def _size(person: Appearance) -> tuple[float, float]:
    """Height in metres and volume in cubic metres of the naked body at rest."""
    body = body_fields().body
    vertices = body.shaped(torch.from_numpy(person.shape)).vertices.double()
    a, b, c = (vertices[body.faces[:, k]] for k in range(3))
    volume = (torch.linalg.cross(a, b) * c).sum() / 6
    return float(vertices[:, 2].max() - vertices[:, 2].min()), float(volume)
