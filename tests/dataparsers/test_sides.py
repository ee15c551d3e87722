"""Left and right of people who walk, turn, and are mistaken."""

import numpy as np

from lca_dataparsers.processing.observations import ClipObservations, empty_observations
from lca_dataparsers.processing.sides import SWAPPED, swapped_frames, untangled


def turning(frames: int = 90, turns: float = 1.0) -> ClipObservations:
    """A person 400 pixels tall who turns about the vertical axis and swings the arms."""
    clip = empty_observations(np.arange(frames) / 30, (640, 480))
    angle = 2 * np.pi * turns * np.linspace(0, 1, frames)
    random = np.random.default_rng(0)
    across, up = random.uniform(20, 70, 33), random.uniform(40, 440, 33)
    left = np.array([(i % 2 == 1) if i >= 7 else i in (1, 2, 3) for i in range(33)])
    place = np.where(left, across, -across)
    for i, partner in enumerate(SWAPPED):
        if i < partner:
            place[partner], up[partner] = -place[i], up[i]
    place[0] = 0
    swing = 12 * np.sin(np.arange(frames) / 4)[:, None] * np.where(left, 1, -1)
    clip.body_points[..., 0] = 320 + place * np.cos(angle)[:, None] + swing * np.sin(angle)[:, None]
    clip.body_points[..., 1] = up
    clip.body_points_world[:] = 0
    clip.body_visibility[:] = 0.9
    clip.person_boxes[:] = (200, 40, 440, 440)
    return clip


def test_partners() -> None:
    assert [SWAPPED[SWAPPED[i]] for i in range(33)] == list(range(33))
    assert SWAPPED[11] == 12 and SWAPPED[31] == 32 and SWAPPED[2] == 5 and SWAPPED[0] == 0


def test_turning_people_are_left_as_they_are() -> None:
    for turns in (0.0, 0.5, 1.0, 2.0):
        assert not swapped_frames(turning(turns=turns)).any()


def test_mistaken_frames_are_put_right() -> None:
    truth = turning(turns=0.3)
    wrong = np.zeros(90, bool)
    wrong[[5, 30, 31, 32, 33, 80]] = True
    points = truth.body_points.copy()
    points[wrong] = points[wrong][:, SWAPPED]
    mistaken = ClipObservations(**{**vars(truth), "body_points": points})
    assert (swapped_frames(mistaken) == wrong).sum() >= 89  # near a quarter turn both are alike
    found, count = untangled(mistaken)
    assert 5 <= count <= 6
    assert np.median(np.abs(found.body_points - truth.body_points).max(axis=(1, 2))) == 0
    untouched, none = untangled(truth)
    assert none == 0 and untouched is truth


def test_gaps_and_short_clips() -> None:
    clip = turning()
    clip.body_points[10:50] = np.nan
    assert not swapped_frames(clip).any()
    assert not swapped_frames(turning(frames=2)).any()
