from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lca_method.sampling import SubjectFrames, draw_step, evaluation_draws, spread_references, step_generator


def frames(subject: str, count: int) -> SubjectFrames:
    rows = tuple(range(count))
    return SubjectFrames(subject, rows, tuple(1.0 for _ in rows), rows)


@given(
    counts=st.lists(st.integers(2, 20), min_size=1, max_size=5),
    per_step=st.integers(1, 4),
    references=st.tuples(st.integers(1, 8), st.integers(1, 8)).map(sorted).map(tuple),
    targets=st.integers(1, 6),
    step=st.integers(0, 1000),
)
def test_references_are_never_targets(counts, per_step, references, targets, step) -> None:
    subjects = [frames(str(i), count) for i, count in enumerate(counts)]
    draws = draw_step(step_generator(0, 0, step), subjects, per_step, references, targets)
    assert len(draws) == per_step
    assert len({len(draw.references) for draw in draws}) == 1
    for draw in draws:
        assert not set(draw.references) & set(draw.targets)
        assert len(set(draw.references)) == len(draw.references) <= references[1]
        assert len(draw.targets) == targets


def test_a_step_is_drawn_alike_whenever_it_is_drawn() -> None:
    subjects = [frames("a", 9), frames("b", 7)]
    draws = [draw_step(step_generator(3, 1, 41), subjects, 2, (1, 8), 4) for _ in range(2)]
    assert draws[0] == draws[1]
    other_rank = draw_step(step_generator(3, 2, 41), subjects, 2, (1, 8), 4)
    assert other_rank != draws[0]


def test_every_subject_and_number_of_references_comes_up() -> None:
    subjects = [frames("a", 20), frames("b", 20)]
    draws = [draw_step(step_generator(0, 0, step), subjects, 1, (1, 8), 1)[0] for step in range(300)]
    assert set(Counter(len(draw.references) for draw in draws)) == set(range(1, 9))
    assert min(Counter(draw.subject for draw in draws).values()) > 100


def test_somebody_with_one_frame_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="two frames"):
        draw_step(step_generator(0, 0, 0), [frames("a", 1)], 1, (1, 8), 1)


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
