"""Whom and what the relighting benchmark looks at, and truth of its figures."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from benchmarks.relight import view_of
from benchmarks.relight_protocol import lightings, rows_of, side_of
from benchmarks.relight_scores import means
from lca_dataparsers.dataset.lights import LightPattern, LightRig
from lca_dataparsers.synthetic.light_stage import pattern_of
from lca_shared.cameras import Cameras
from lca_shared.lighting.lights import Lights

CAMERAS, MOMENTS = 4, 8


@pytest.fixture
def person() -> Any:
    patterns = tuple(LightPattern((0,), (1.0,), fully_lit=number == 0) for number in range(17))
    moments = np.repeat(np.arange(MOMENTS), CAMERAS)
    shown = np.array([pattern_of(int(moment)) for moment in moments])
    return SimpleNamespace(
        lights=LightRig(np.zeros((1, 3)), patterns), frames={"light_pattern": shown, "frame": moments}
    )


def test_references_are_evenly_lit_from_all_sides_and_targets_are_not(person: Any) -> None:
    references, targets = rows_of(cast(Any, person), 2, 8, 4)
    assert len(set(references)) == 8 and len(set(targets)) == 4
    patterns = person.frames["light_pattern"]
    assert all(patterns[row] == 0 for row in references) and all(patterns[row] > 0 for row in targets)
    assert {row % CAMERAS for row in references} == set(range(CAMERAS)) == {row % CAMERAS for row in targets}
    assert len({int(patterns[row]) for row in targets}) == 4
    assert rows_of(cast(Any, person), 0, 8, 4)[1] != targets  # the next person begins with another camera


def test_a_person_is_lit_from_all_sides_under_each_map() -> None:
    for light in range(3):
        for number in range(4):  # a person's first picture is by the camera of that number
            sides = {(turn - view_of(4 * light + turn, 4) - number) % 4 for turn in range(4)}
            assert sides == {0, 1, 2, 3}
        for turn in range(4):
            assert {(view_of(4 * light + turn, 4) + number) % 4 for number in range(4)} == {0, 1, 2, 3}


def test_where_light_comes_from() -> None:
    matrix = torch.eye(4)
    matrix[:3, :3] = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # at -Y, looking along +Y
    matrix[2, 3] = 3.0
    camera = Cameras(matrix, torch.tensor([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]), 100, 100)
    for direction, side in (((0.0, -1, 1), "front"), ((1.0, 0.1, 0), "side"), ((0.2, 1, 0), "back")):
        assert side_of(Lights.none().with_sun(torch.tensor(direction), torch.ones(3)), camera) == side


def test_lights_turn() -> None:
    first, quarter = (next(light for light in lightings(["window"], [turn]) if light.is_map) for turn in (0.0, 90.0))
    directions = [light.lights.with_keys().directions for light in (first, quarter)]
    torch.testing.assert_close(directions[1][:, 0], -directions[0][:, 1])


def test_standard_errors_are_over_people() -> None:
    rows = [{"kind": "maps", "person": name, "won": value} for name, value in (("a", 1.0), ("a", 3.0), ("b", 4.0))]
    assert means(rows) == {"maps": "won 2.667 +- 1.00 (3)"}
