"""Which frames are trained on and which are held out: by person, or by stretches of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lca_dataparsers.dataset.reader import AvatarDataset

Row = tuple[str, int]
"""Subject id and row of its frame table."""
Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class FrameSplit:
    """How one person's recording is split when no other person is held out."""

    eval_fraction: float = 0.1
    """Share of the moments that is held out."""
    stretches: int = 4
    """Held-out runs of neighbouring moments, spread over the recording."""
    guard: int = 1
    """Moments on each side of a held-out run that are in no split: they nearly show what is held out."""


def rows_of_split(dataset: AvatarDataset, split: Split, frame_split: FrameSplit | None = None) -> list[Row]:
    """(subject, row) of each frame in a split, person by person.

    Splits are by person (``subject.json``); ``val`` and ``test`` stand in for each other where one is empty. A dataset
    of one person, or one in which nobody is held out, is split by time instead: see :func:`held_out_moments`.
    """
    subjects = dataset.subjects
    splits = {subject.info.split for subject in subjects.values()}
    if len(subjects) == 1 or splits <= {"train"}:
        moments = {name: subject.frames["frame"] for name, subject in subjects.items()}
        return rows_by_time(moments, split, frame_split or FrameSplit())
    if split != "train" and split not in splits:
        split = "test" if split == "val" else "val"
    return [
        (name, row) for name, subject in subjects.items() if subject.info.split == split for row in range(len(subject))
    ]


def rows_by_time(moments: Mapping[str, np.ndarray], split: Split, frame_split: FrameSplit) -> list[Row]:
    """The rows of a split when every person's recording is split by time.

    Args:
        moments: the column ``frame`` of each subject: rows with one number were taken at one moment and stay together.
        split: ``val`` and ``test`` are the same held-out rows.
        frame_split: how much is held out.
    """
    rows = []
    for name, frame in moments.items():
        unique, order = np.unique(frame, return_inverse=True)
        held_out, guarded = held_out_moments(len(unique), frame_split)
        wanted = ~held_out & ~guarded if split == "train" else held_out
        rows += [(name, int(row)) for row in np.flatnonzero(wanted[order])]
    return rows


def held_out_moments(count: int, frame_split: FrameSplit) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``count`` moments are held out, and which are in no split; two bool arrays [count].

    Whole runs are held out because a frame between two training frames is nearly one of them. At least one moment of
    two or more is held out, and at least one is trained on (guards give way first).
    """
    held_out = np.zeros(count, bool)
    if count < 2:
        return held_out, held_out.copy()
    wanted = min(max(1, round(count * frame_split.eval_fraction)), count - 1)
    stretches = min(max(1, frame_split.stretches), wanted)
    for index, part in enumerate(np.array_split(np.arange(wanted), stretches)):
        middle = (index + 0.5) * count / stretches
        first = min(max(0, round(middle - len(part) / 2)), count - len(part))
        held_out[first : first + len(part)] = True
    near = np.convolve(held_out, np.ones(2 * frame_split.guard + 1))[frame_split.guard :][:count] > 0
    guarded = near & ~held_out
    return held_out, guarded if (~near).any() else np.zeros(count, bool)
