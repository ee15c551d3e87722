from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lca_method.sampling import SubjectFrames, draw_views, evaluation_draws, spread_references, step_generator


def frames(subject: str, count: int, moments: tuple[int, ...] = ()) -> SubjectFrames:
    rows = tuple(range(count))
    return SubjectFrames(subject, rows, tuple(1.0 for _ in rows), rows, moments)


@given(
    views=st.lists(st.integers(1, 6), min_size=1, max_size=12).filter(lambda views: sum(views) > 1),
    references=st.integers(1, 8),
    targets=st.integers(1, 6),
    together=st.integers(1, 4),
    step=st.integers(0, 1000),
)
def test_targets_show_other_moments_than_references(views, references, targets, together, step) -> None:
    moments = tuple(np.repeat(np.arange(len(views)), views).tolist())
    person = frames("anna", len(moments), moments)
    count = min(references, person.choices)
    draw = draw_views(step_generator(0, step, 0), person, count, targets, together)
    assert len(draw.references) == len(set(draw.references)) == count
    assert len(draw.targets) == targets and not set(draw.references) & set(draw.targets)
    if len(views) > 1:
        assert not {moments[row] for row in draw.references} & {moments[row] for row in draw.targets}


def test_targets_of_one_moment_follow_each_other() -> None:
    moments = tuple(np.repeat(np.arange(6), 4).tolist())
    for step in range(20):
        draw = draw_views(step_generator(0, step, 0), frames("anna", 24, moments), 2, 8, 4)
        seen = [moments[row] for row in draw.targets]
        assert len(set(seen[:4])) == len(set(seen[4:])) == 1 and len(set(draw.targets)) == 8


def test_a_slot_is_drawn_alike_whenever_it_is_drawn() -> None:
    first, again = (draw_views(step_generator(3, 41, 1), frames("a", 9), 4, 4) for _ in range(2))
    assert first == again != draw_views(step_generator(3, 41, 2), frames("a", 9), 4, 4)
    states = {tuple(step_generator(0, s, t).integers(1 << 30, size=2)) for s in range(9) for t in (None, *range(9))}
    assert len(states) == 90


def test_somebody_with_one_frame_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="1 frames"):
        draw_views(step_generator(0, 0, 0), frames("a", 1), 1, 1)


@given(count=st.integers(1, 40), wanted=st.integers(1, 10))
def test_references_are_spread_over_time(count, wanted) -> None:
    rows = list(range(100, 100 + count))
    chosen = spread_references(rows, [1.0] * count, wanted)
    assert len(chosen) == min(count, wanted) == len(set(chosen))
    assert list(chosen) == sorted(chosen)
    if len(chosen) > 1:
        gaps = [later - earlier for earlier, later in pairwise(chosen)]
        assert max(gaps) <= 2 * count / wanted + 1


def test_the_best_seen_frame_of_each_stretch_is_taken() -> None:
    scores = [0.1, 0.9, 0.2, 0.3, 0.3, 0.8]
    assert spread_references(range(6), scores, 2) == (1, 5)


def test_a_held_out_person_gives_references_and_keeps_targets() -> None:
    (draw,) = evaluation_draws([frames("a", 6)], references=8, targets_per_subject=-1)
    assert len(draw.references) == 3
    assert sorted(draw.references + draw.targets) == list(range(6))


def test_held_out_frames_of_a_trained_person_are_all_targets() -> None:
    subject = SubjectFrames("a", (0, 1, 2, 3, 4, 5), (1.0,) * 6, (6, 7))
    (draw,) = evaluation_draws([subject], references=4, targets_per_subject=-1)
    assert draw.targets == (6, 7) and len(draw.references) == 4
