"""A person between two pictures in which they were found, and the order in which pictures are looked at."""

import itertools
import time

import numpy as np
import pytest

from lca_dataparsers.processing.ahead import ahead
from lca_dataparsers.processing.body_following import expected_place
from lca_dataparsers.processing.estimators import Sighting
from lca_dataparsers.processing.looking import STRIDE, key_rows


def somebody(*place: float) -> Sighting:
    points = np.zeros((33, 3), np.float32)
    at = np.array(place, np.float32) if place else None
    return Sighting(points[:, :2], points[:, 0], points, np.zeros((4, 4), np.uint8), np.zeros(4, np.float32), at)


def test_a_place_moves_evenly_and_turns_the_short_way() -> None:
    before, after = (0, [somebody(100, 50, 200, 3.1)]), (4, [somebody(140, 90, 240, -3.1)])
    place = expected_place(1, before, after)
    assert place is not None
    np.testing.assert_allclose(place[:3], [110, 60, 210], atol=1e-4)
    turn = 2 * np.pi - 6.2
    assert np.cos(place[3] - (3.1 + turn / 4)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ([], [somebody(0, 0, 9, 0)]),
        ([somebody(0, 0, 9, 0)], [somebody(0, 0, 9, 0), somebody(5, 5, 9, 0)]),
        ([somebody(0, 0, 100, 0)], [somebody(60, 0, 100, 0)]),
        ([somebody(0, 0, 100, 0)], [somebody(0, 0, 200, 0)]),
        ([somebody()], [somebody(0, 0, 100, 0)]),
    ],
    ids=["nobody", "two", "far", "grown", "unknown"],
)
def test_nobody_is_followed_who_may_be_another(there: list[Sighting], here: list[Sighting]) -> None:
    assert expected_place(1, (0, there), (4, here)) is None
    assert expected_place(3, (4, here), (0, there)) is None


@pytest.mark.parametrize("first", [True, False])
def test_keys_lie_a_stride_apart_at_most(first: bool) -> None:
    for count in range(1, 40):
        levels = key_rows(count, first)
        rows = [row for level in levels for row in level]
        assert len(set(rows)) == len(rows) and set(rows) <= set(range(count)) and count - 1 in levels[0]
        known: list[int] = sorted([*rows, *([] if first else [-1])])
        assert known[0] == (0 if first else -1)
        assert all(after - before <= STRIDE for before, after in itertools.pairwise(known))


def test_what_is_made_ahead_is_the_same_and_made_meanwhile() -> None:
    made = []

    def numbers():
        for number in range(4):
            made.append(number)
            yield number

    taken = []
    for number in ahead(numbers()):
        time.sleep(0.02)
        assert number == 3 or len(made) >= number + 2  # the next one is there already
        taken.append(number)
    assert taken == [0, 1, 2, 3] and list(ahead(iter(()))) == []


def test_what_goes_wrong_ahead_is_said() -> None:
    def broken():
        yield 1
        raise OSError("cut off")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(OSError, match="cut off"):
        next(items)
