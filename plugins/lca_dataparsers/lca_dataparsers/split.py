"""Which frames are trained on and which are held out: by person, by stretches of time, or by camera."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from lca_dataparsers.dataset.reader import AvatarDataset, Subject

Row = tuple[str, int]
"""Subject id and row of its frame table."""
Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class FrameSplit:
    """How people's recordings are split when nobody is held out."""

    eval_by: Literal["time", "camera"] | None = None
    """Hold out runs of neighbouring moments, or whole cameras; by default cameras of a studio, moments of all else."""
    eval_fraction: float = 0.1
    """Share of the moments, or of the cameras, that is held out."""
    eval_stretches: int = 4
    """Held-out runs of neighbouring moments, spread over the recording."""
    eval_guard: int = 1
    """Moments on each side of a held-out run that are in no split: they nearly show what is held out."""

    def of(self, kind: str) -> "FrameSplit":
        """The same with ``eval_by`` settled, by the kind of the dataset: ``wild`` or ``studio``."""
        return self if self.eval_by else replace(self, eval_by="camera" if kind == "studio" else "time")


def rows_of_split(dataset: "AvatarDataset", split: Split, frame_split: FrameSplit | None = None) -> list[Row]:
    """(subject, row) of each frame in a split, person by person.

    Splits are by person (``subject.json``); ``val`` and ``test`` stand in for each other where one is empty. A dataset
    of one person, or one in which nobody is held out, is split by time or camera instead: see :func:`row_labels`.
    """
    labels, by_person = row_labels(dataset, frame_split or FrameSplit()), split_by_person(dataset)
    if split != "train" and split not in {subject.info.split for subject in dataset.subjects.values()}:
        split = "test" if split == "val" else "val"
    wanted = split if split == "train" or by_person else "val"
    return [
        (name, int(row))
        for name, subject in dataset.subjects.items()
        if not by_person or subject.info.split == wanted
        for row in np.flatnonzero(labels(subject) == wanted)
    ]


def split_by_person(dataset: "AvatarDataset") -> bool:
    """Whether somebody is held out: several people, and not all of them in ``train``."""
    return len(dataset.subjects) > 1 and any(subject.info.split != "train" for subject in dataset.subjects.values())


def row_labels(dataset: "AvatarDataset", frame_split: FrameSplit) -> Callable[["Subject"], np.ndarray]:
    """What says of each row of a subject: ``train``, ``val``, ``test``, or ``none``; strings [rows].

    With people held out, a row's label is its person's split. Otherwise rows are ``train``, ``val`` (held out, and
    evaluated as ``test`` too) or ``none``.
    """
    frame_split = frame_split.of(dataset.info.kind)
    if split_by_person(dataset):
        return lambda subject: np.full(len(subject), subject.info.split)
    if frame_split.eval_by == "camera":
        return lambda subject: _camera_labels(subject.frames["camera"], frame_split.eval_fraction)
    return lambda subject: _time_labels(subject.frames["frame"], frame_split)


def rows_by_time(moments: Mapping[str, np.ndarray], split: Split, frame_split: FrameSplit) -> list[Row]:
    """The rows of a split when every person's recording is split by time.

    Args:
        moments: the column ``frame`` of each subject: rows with one number were taken at one moment and stay together.
        split: ``val`` and ``test`` are the same held-out rows.
        frame_split: how much is held out.
    """
    wanted = "train" if split == "train" else "val"
    return [
        (name, int(row))
        for name, frame in moments.items()
        for row in np.flatnonzero(_time_labels(frame, frame_split) == wanted)
    ]


def held_out_moments(count: int, frame_split: FrameSplit) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``count`` moments are held out, and which are in no split; two bool arrays [count].

    Whole runs are held out because a frame between two training frames is nearly one of them. At least one moment of
    two or more is held out, and at least one is trained on (guards give way first).
    """
    held_out = np.zeros(count, bool)
    if count < 2:
        return held_out, held_out.copy()
    wanted = min(max(1, round(count * frame_split.eval_fraction)), count - 1)
    stretches = min(max(1, frame_split.eval_stretches), wanted)
    for index, part in enumerate(np.array_split(np.arange(wanted), stretches)):
        middle = (index + 0.5) * count / stretches
        first = min(max(0, round(middle - len(part) / 2)), count - len(part))
        held_out[first : first + len(part)] = True
    near = np.convolve(held_out, np.ones(2 * frame_split.eval_guard + 1))[frame_split.eval_guard :][:count] > 0
    guarded = near & ~held_out
    return held_out, guarded if (~near).any() else np.zeros(count, bool)


def held_out_cameras(names: np.ndarray, fraction: float) -> list[str]:
    """Which cameras are held out: evenly spaced in the order of their names; at least one of two or more.

    Numbers in names count as numbers (``cam2`` before ``cam10``): rings of cameras are usually numbered around.
    """
    import re

    def order(name: str) -> list:
        return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]

    unique = sorted({str(name) for name in names}, key=order)
    if len(unique) < 2:
        return []
    count = min(max(1, round(len(unique) * fraction)), len(unique) - 1)
    return [unique[int((i + 0.5) * len(unique) / count)] for i in range(count)]


def _time_labels(frame: np.ndarray, frame_split: FrameSplit) -> np.ndarray:
    unique, order = np.unique(frame, return_inverse=True)
    held_out, guarded = held_out_moments(len(unique), frame_split)
    return np.where(held_out, "val", np.where(guarded, "none", "train"))[order]


def _camera_labels(cameras: np.ndarray, fraction: float) -> np.ndarray:
    held_out = held_out_cameras(cameras, fraction)
    return np.where(np.isin(cameras.astype(str), held_out), "val", "train")
