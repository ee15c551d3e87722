"""Whom the relighting benchmark looks at, and in which lights: rows of references and targets, maps and lamps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from lca_dataparsers.dataset.reader import Subject
from lca_method.avatar.relight_maps import read_environment
from lca_method.avatar.relight_options import about_vertical
from lca_shared.cameras import Cameras
from lca_shared.lighting.environment import prefiltered
from lca_shared.lighting.lights import Lights

MAP_LIGHTS = 48
"""Directional lights that stand for a map in the truth."""
_LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class Lighting:
    """A light that nobody was trained under."""

    name: str
    """Of the map, or ``sun``, or ``lamps``."""
    turn: float
    """Degrees about the vertical, from how it is stored."""
    is_map: bool
    lights: Lights


def rows_of(person: Subject, number: int, references: int, pictures: int) -> tuple[list[int], list[int]]:
    """Rows of evenly lit references and of partially lit targets.

    References are spread evenly over the evenly lit pictures. Targets show as many moments as there are, so as many
    patterns, each through the next camera; who begins with which camera depends on the person's number.

    Args:
        person: of a light stage.
        number: of the person in the dataset.
        references: how many; fewer if there are fewer.
        pictures: targets; fewer if there are fewer.
    """
    rig, patterns = person.lights, person.frames["light_pattern"]
    assert rig is not None
    lit = [rig.patterns[int(n)].fully_lit for n in patterns]
    even, dark = ([row for row, value in enumerate(lit) if value is wanted] for wanted in (True, False))
    seen = [even[i] for i in _spread(len(even), references)]
    moments: dict[int, list[int]] = {}
    for row in dark:
        moments.setdefault(int(person.frames["frame"][row]), []).append(row)
    views = list(moments.values())
    turns = [views[i % len(views)] for i in range(min(pictures, len(dark)))]
    chosen = [rows[(number + i + i // len(views)) % len(rows)] for i, rows in enumerate(turns)]
    return seen, list(dict.fromkeys(chosen))


def lightings(maps: Sequence[str], turns: Sequence[float]) -> list[Lighting]:
    """Every map, a sun, and two lamps, at every turn.

    Args:
        maps: files or shipped names.
        turns: degrees about the vertical.
    """
    sources = [(name, True, Lights.of_environment(prefiltered(read_environment(name), MAP_LIGHTS))) for name in maps]
    sources += [("sun", False, _sun()), ("lamps", False, _lamps())] if maps else []
    return [
        Lighting(name, turn, is_map, source.turned(about_vertical(turn)))
        for name, is_map, source in sources
        for turn in turns
    ]


def _sun() -> Lights:
    """Alone in the sky, 35 degrees high, in front of a person at rest and to their left."""
    high = math.radians(35.0)
    direction = torch.tensor([math.cos(high) * math.sqrt(0.5), -math.cos(high) * math.sqrt(0.5), math.sin(high)])
    return Lights.none().with_sun(direction, torch.tensor([0.9, 0.85, 0.75]))


def _lamps() -> Lights:
    """Two, coloured, nearer than a stage's: a warm one in front and a dim blue one behind."""
    warm = Lights.none().with_point(torch.tensor([0.7, -1.5, 1.7]), torch.tensor([2.4, 1.6, 0.9]))
    return warm.with_point(torch.tensor([-1.0, 1.3, 1.2]), torch.tensor([0.5, 0.8, 1.6]))


def side_of(lights: Lights, camera: Cameras) -> str:
    """Where most of the light comes from, as the camera sees it: ``front``, ``side`` or ``back``.

    Args:
        lights: no batch axes.
        camera: no batch axes, looking at the middle of the scene.
    """
    known = lights.with_keys()
    directions, strengths, _ = replace(known, ambient=torch.zeros(3)).arriving(torch.tensor([[0.0, 0.0, 1.0]]))
    mean = (directions[0] * (strengths[0] @ strengths.new_tensor(_LUMINANCE))[:, None]).sum(0)[:2]
    toward = camera.world_centers().to(mean)[:2]
    cosine = float(torch.nn.functional.cosine_similarity(mean, toward, dim=0))
    return "front" if cosine > 0.5 else "back" if cosine < -0.5 else "side"


def _spread(length: int, count: int) -> list[int]:
    """``count`` places spread evenly over a row of ``length``, or all of them."""
    return list(dict.fromkeys(np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist()))
