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
    moments: tuple[int, ...] = ()
    """Moment of each of ``references``: several cameras of a studio share one. Empty = each has its own."""

    @property
    def choices(self) -> int:
        """Most references that leave another moment (or, of one moment, another picture) to explain."""
        if not self.moments:
            return len(self.references) - 1
        views = np.unique(self.moments, return_counts=True)[1]
        return len(self.references) - (int(views.max()) if len(views) > 1 else 1)


@dataclass(frozen=True)
class Draw:
    """One subject's part in a step: no row is both a reference and a target."""

    subject: str
    references: tuple[int, ...]
    targets: tuple[int, ...]


def step_generator(seed: int, step: int, slot: int | None = None) -> np.random.Generator:
    """The generator of a step, or of one person's slot in it: a resumed training draws what an uninterrupted one
    would have drawn."""
    return np.random.default_rng([seed, step + 1] if slot is None else [seed, step + 1, slot + 1])


def draw_views(
    generator: np.random.Generator, frames: SubjectFrames, references: int, targets: int, views_per_moment: int = 1
) -> Draw:
    """Draw a person's reference and target rows for a step, both from ``SubjectFrames.references``.

    Targets show other moments than references do; pictures of one moment alone are told apart by camera. Where too few
    are left over, targets repeat.

    Args:
        generator: of the person's slot in the step.
        frames: what may be drawn.
        references: how many to look at, ``SubjectFrames.choices`` at most.
        targets: how many to explain.
        views_per_moment: targets that show one moment through different cameras, as far as there are so many.

    Raises:
        ValueError: there are too few frames.
    """
    if not 0 < references <= frames.choices:
        raise ValueError(f"{references} references of {frames.subject}, which has {len(frames.references)} frames")
    rows = np.asarray(frames.references)
    moments = np.asarray(frames.moments) if frames.moments else np.arange(len(rows))
    kept = moments == moments[generator.integers(len(rows))]  # a moment that no reference shows
    if kept.all():
        kept = np.arange(len(rows)) == generator.integers(len(rows))
        seen = generator.permutation(np.flatnonzero(~kept))[:references]
        left = np.setdiff1d(np.arange(len(rows)), seen)
    else:
        seen = generator.permutation(np.flatnonzero(~kept))[:references]
        left = np.flatnonzero(~np.isin(moments, moments[seen]))
    left = generator.permutation(left)
    if views_per_moment > 1:
        left = _grouped(left, moments[left], views_per_moment)
    left = np.resize(left, targets)
    return Draw(frames.subject, tuple(int(row) for row in rows[seen]), tuple(int(row) for row in rows[left]))


def _grouped(rows: np.ndarray, moments: np.ndarray, size: int) -> np.ndarray:
    """The rows in an order in which up to ``size`` of one moment follow each other."""
    groups: dict[tuple[int, int], list[int]] = {}
    met: dict[int, int] = {}
    for row, moment in zip(rows.tolist(), moments.tolist()):
        met[moment] = met.get(moment, -1) + 1
        groups.setdefault((moment, met[moment] // size), []).append(row)
    return np.array([row for group in groups.values() for row in group])


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
