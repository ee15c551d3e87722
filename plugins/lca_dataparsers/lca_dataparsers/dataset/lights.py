"""``lights.json``: the lights of a light stage, and which of them shine in each pattern.

A row's ``light_pattern`` is an index into ``patterns``. Lights are points, in the dataset's world.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lca_shared.errors import SchemaError, UserError
from lca_shared.storage import check_schema, read_json, write_json
from lca_shared.tensors import Float

SCHEMA_VERSION = 1
LIGHTS_FILE = "lights.json"


@dataclass(frozen=True)
class LightPattern:
    """Some lights shining at once."""

    lights: tuple[int, ...]
    """Indices of the lights that shine."""
    intensities: tuple[float, ...]
    """Of each of them; 1 = a light at full power."""
    fully_lit: bool
    """Whether it lights the person evenly from all sides: the light in which avatars are trained."""
    ambient: float = 0.0
    """Radiance of the surroundings from all directions, in units of a white surface's brightness in ``ambient`` 1."""


@dataclass(frozen=True)
class LightRig:
    """All lights and patterns of a capture."""

    positions: Float[np.ndarray, "lights 3"]
    """Metres, world."""
    patterns: tuple[LightPattern, ...]

    def __post_init__(self) -> None:
        if self.positions.ndim != 2 or self.positions.shape[1:] != (3,) or not np.isfinite(self.positions).all():
            raise UserError("light positions must be finite triples of numbers. Restore the file of lights.")
        for number, pattern in enumerate(self.patterns):
            if len(pattern.lights) != len(pattern.intensities):
                raise UserError(f"light pattern {number} has {len(pattern.lights)} lights and other intensities.")
            if any(not 0 <= light < len(self.positions) for light in pattern.lights):
                raise UserError(f"light pattern {number} names a light that there is not.")

    def intensities(self, pattern: int) -> Float[np.ndarray, "lights"]:
        """Intensity of every light in a pattern; 0 where it is off.

        Raises:
            IndexError: there is no such pattern.
        """
        if not 0 <= pattern < len(self.patterns):
            raise IndexError(f"no light pattern {pattern}")
        values = np.zeros(len(self.positions), np.float32)
        for light, intensity in zip(self.patterns[pattern].lights, self.patterns[pattern].intensities):
            values[light] += intensity
        return values

    def moved(self, new_from_old: Float[np.ndarray, "4 4"]) -> "LightRig":
        """The lights after the world was moved rigidly."""
        return LightRig(self.positions @ new_from_old[:3, :3].T + new_from_old[:3, 3], self.patterns)

    def save(self, folder: Path) -> None:
        """Write ``lights.json`` into a subject's folder."""
        patterns = [
            {
                "lights": list(pattern.lights),
                "intensities": list(pattern.intensities),
                "fully_lit": pattern.fully_lit,
                "ambient": pattern.ambient,
            }
            for pattern in self.patterns
        ]
        content = {"positions": self.positions.tolist(), "patterns": patterns}
        write_json(folder / LIGHTS_FILE, {"kind_of_file": "lights", "schema_version": SCHEMA_VERSION, **content})


def read_lights(folder: Path) -> LightRig | None:
    """The lights of a subject's folder; None where the light was not controlled.

    Raises:
        SchemaError: the file has another schema version, or does not follow it.
    """
    path = folder / LIGHTS_FILE
    if not path.exists():
        return None
    return lights_of(read_json(path), path)


def lights_of(content: dict[str, Any], path: Path) -> LightRig:
    """The content of a ``lights.json``.

    Raises:
        SchemaError: it has another schema version, or does not follow it. The message names ``path``.
    """
    check_schema(content, path, "lights", SCHEMA_VERSION)
    try:
        patterns = tuple(
            LightPattern(
                tuple(int(light) for light in pattern["lights"]),
                tuple(float(value) for value in pattern["intensities"]),
                bool(pattern["fully_lit"]),
                float(pattern["ambient"]),
            )
            for pattern in content["patterns"]
        )
        return LightRig(np.array(content["positions"], float).reshape(-1, 3), patterns)
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"{path} does not follow its schema ({error!r}). Make the subject again.") from error
