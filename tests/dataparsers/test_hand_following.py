"""Hands between two pictures in which they were found."""

import numpy as np
import pytest

from lca_dataparsers.processing.estimators.mediapipe_hands import hand_place
from lca_dataparsers.processing.hand_following import expected_hands

RANDOM = np.random.default_rng(0)
BODY = RANDOM.uniform(0, 400, (33, 2)).astype(np.float32)
HANDS = RANDOM.uniform(0, 400, (2, 21, 2)).astype(np.float32)


def test_hands_are_expected_where_the_wrist_went() -> None:
    """Everything moves evenly: what lies between two pictures is exact, and so is what only one of them tells."""
    step = np.array([7.0, -3.0], np.float32)
    only_left = HANDS.copy()
    only_left[1] = np.nan
    around = [(0, BODY, only_left, np.array([0.9, 0.0])), (4, BODY + 4 * step, HANDS + 4 * step, np.array([0.5, 0.8]))]
    expected = expected_hands(1, BODY + step, around)
    np.testing.assert_allclose(expected.points, HANDS + step, atol=1e-3)
    np.testing.assert_allclose(expected.scores, [0.75 * 0.9 + 0.25 * 0.5, 0.8], atol=1e-6)


def test_nothing_is_expected_of_a_hand_that_nobody_saw() -> None:
    expected = expected_hands(1, BODY, [(0, BODY, np.full((2, 21, 2), np.nan), np.zeros(2))])
    assert np.isnan(expected.points).all() and (expected.scores == 0).all()


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5, 3.0])
def test_a_hands_place_turns_with_it(angle: float) -> None:
    points = HANDS[0]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    center, side, turned = hand_place(points)
    moved_center, moved_side, moved_turned = hand_place(points @ turn.T)
    np.testing.assert_allclose(moved_center, turn @ center, atol=1e-2)
    assert moved_side == pytest.approx(side, rel=1e-4)
    assert np.cos(moved_turned - turned - angle) == pytest.approx(1.0, abs=1e-5)


def test_an_upright_hand_is_not_turned() -> None:
    hand = np.zeros((21, 2), np.float32)
    hand[:, 1] = 100.0
    hand[[5, 9, 13]] = [[-20, 0], [0, 0], [20, 0]]
    center, side, turned = hand_place(hand)
    assert turned == pytest.approx(0.0)
    assert center[0] == pytest.approx(0.0, abs=1e-4) and center[1] < 50.0  # towards the fingers
    assert side == pytest.approx(2.3 * 100.0)
