"""Which frames a step sees: reference views and target views of a subject. Pure functions of a generator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SubjectFrames:
    """The rows of one subject that may be drawn."""

    subject: str
    references: tuple[int, ...]
    """Rows from which the avatar may be made, in the order of time."""
    scores: tuple[float, ...]
    """How well the person (body and face) was seen in each of ``references``."""
    targets: tuple[int, ...]
    """Rows to explain in evaluation; training explains whatever ``references`` it did not look at."""


@dataclass(frozen=True)
class Draw:
    """One subject's part in a step: no row is both a reference and a target."""

    subject: str
    references: tuple[int, ...]
    targets: tuple[int, ...]


def step_generator(seed: int, rank: int, step: int) -> np.random.Generator:
    """The generator of one step: a resumed training draws what an uninterrupted one would have drawn."""
    return np.random.default_rng([seed, rank, step])


def draw_step(
    generator: np.random.Generator,
    subjects: Sequence[SubjectFrames],
    subjects_per_step: int,
    references: tuple[int, int],
    targets: int,
) -> list[Draw]:
    """Draw a training step's frames.

    All subjects of a step get the same number of references (between the two bounds of ``references``, as far as
    their frames go) and of targets, so that they stack. Both come from ``SubjectFrames.references``; where too few
    frames are left over, targets repeat.

    Raises:
        ValueError: there is no subject, or one with fewer than two frames.
    """
    if not subjects:
        raise ValueError("no subject to draw from")
    if min(len(subject.references) for subject in subjects) < 2:
        raise ValueError("a subject needs at least two frames: one to look at and another to explain")
    replace = subjects_per_step > len(subjects)
    chosen = [subjects[i] for i in generator.choice(len(subjects), subjects_per_step, replace=replace)]
    fewest = min(len(subject.references) for subject in chosen)
    count = min(int(generator.integers(references[0], references[1] + 1)), fewest - 1)
    draws = []
    for subject in chosen:
        rows = [int(row) for row in generator.permutation(subject.references)]
        seen, left = rows[:count], rows[count:]
        if len(left) < targets:
            left = [int(row) for row in generator.choice(left, targets)]
        draws.append(Draw(subject.subject, tuple(seen), tuple(left[:targets])))
    return draws


def spread_references(rows: Sequence[int], scores: Sequence[float], count: int) -> tuple[int, ...]:
    """``count`` rows spread evenly over time, the best-seen one from each stretch; all of them if there are fewer.

    Deterministic: evaluation looks at the same references whenever it runs.
    """
    if count >= len(rows):
        return tuple(rows)
    stretches = np.array_split(np.arange(len(rows)), count)
    best = [max(stretch, key=lambda i: (scores[i], -abs(i - stretch[len(stretch) // 2]))) for stretch in stretches]
    return tuple(rows[i] for i in best)


def evaluation_draws(subjects: Sequence[SubjectFrames], references: int, targets_per_subject: int) -> list[Draw]:
    """What evaluation looks at: one :class:`Draw` per subject, the same whenever it runs.

    A subject whose targets are among its possible references (a held-out person) gives up at most half of its
    frames as references. ``targets_per_subject`` is spread evenly over the frames left; -1 takes all of them.
    """
    draws = []
    for subject in subjects:
        shared = set(subject.references) & set(subject.targets)
        count = min(references, max(1, len(subject.references) // 2)) if shared else references
        seen = spread_references(subject.references, subject.scores, count)
        left = [row for row in subject.targets if row not in seen]
        if 0 <= targets_per_subject < len(left):
            left = [left[i] for i in np.linspace(0, len(left) - 1, targets_per_subject).round().astype(int)]
        if left:
            draws.append(Draw(subject.subject, seen, tuple(left)))
    return draws
