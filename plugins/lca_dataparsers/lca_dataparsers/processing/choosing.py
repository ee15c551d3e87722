"""Which of several people a clip is about."""

from dataclasses import dataclass

import numpy as np

from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_shared.tensors import Float

_SAME_PERSON = 0.2
"""Overlap (intersection over union) of boxes in successive pictures from which it is the same person."""

_BESIDE = 0.1
"""Seconds around a track in which its person is still looked for: not every frame was looked at."""


class PersonChooser:
    """Follows one person through a clip.

    Args:
        wanted: None = the largest in the first picture with anybody in it; otherwise their number, counted from 0 at
            the left of the first picture with that many people.
        last: box of the person where an earlier run stopped.
        faithful: nobody is taken for a person who was lost unless they stand where that person was last seen.
    """

    def __init__(
        self, wanted: int | None = None, last: Float[np.ndarray, "4"] | None = None, faithful: bool = False
    ) -> None:
        self._wanted, self._last, self._faithful = wanted, last, faithful

    def choose(self, people: list[Sighting], time: float = 0.0) -> Sighting | None:
        """The person to use among those in the next picture, or None."""
        if not people:
            return None
        if self._last is None:
            chosen = self._first(people)
        else:
            overlaps = [overlap(self._last, person.box) for person in people]
            best = int(np.argmax(overlaps))
            if overlaps[best] >= _SAME_PERSON:
                chosen = people[best]
            elif self._faithful:
                return None
            elif self._wanted is None:
                chosen = people[0]
            else:  # the one asked for has moved far: the nearest is the best guess
                chosen = min(people, key=lambda person: float(np.abs(_middle(person.box) - _middle(self._last)).sum()))
        if chosen is not None:
            self._last = chosen.box
        return chosen

    def _first(self, people: list[Sighting]) -> Sighting | None:
        if self._wanted is None:
            return max(people, key=lambda person: float(np.prod(person.box[2:] - person.box[:2])))
        from_left = sorted(people, key=lambda person: float(person.box[0]))
        return from_left[self._wanted] if self._wanted < len(from_left) else None


@dataclass(frozen=True)
class PersonChoice:
    """Which of several people is wanted."""

    number: int | None = None
    """Counted from 0 at the left; None = the largest."""
    faithful: bool = False
    """Nobody else is taken when that person is lost."""

    def chooser(
        self, track: "Track | None" = None, last: Float[np.ndarray, "4"] | None = None
    ) -> "PersonChooser | TrackFollower":
        """What follows the person through a clip; ``track`` says who, if given."""
        return TrackFollower(track) if track is not None else PersonChooser(self.number, last, self.faithful)


THE_LARGEST = PersonChoice()
"""Who is meant if nobody says."""


class TrackFollower:
    """Picks the person of a track that was found before (see :mod:`.people`)."""

    def __init__(self, track: "Track") -> None:
        self._track = track

    def choose(self, people: list[Sighting], time: float) -> Sighting | None:
        """The person whose box is nearest to where the track is at ``time``, or None."""
        if not self._track.times[0] - _BESIDE <= time <= self._track.times[-1] + _BESIDE:
            return None
        box = self._track.box_at(time)
        best = max(people, key=lambda person: overlap(box, person.box), default=None)
        return best if best is not None and overlap(box, best.box) >= _SAME_PERSON else None


@dataclass(frozen=True)
class Track:
    """Where one person is through part of a clip."""

    times: tuple[float, ...]
    """Seconds, rising."""
    boxes: tuple[tuple[float, float, float, float], ...]
    """left, top, right, bottom in pixels of the stored pictures."""

    def box_at(self, time: float) -> Float[np.ndarray, "4"]:
        """Between the two nearest boxes."""
        boxes = np.array(self.boxes)
        return np.array([np.interp(time, self.times, side) for side in boxes.T], np.float32)


def overlap(first: Float[np.ndarray, "4"], second: Float[np.ndarray, "4"]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (first, second)]
    return both / max(sum(areas) - both, 1e-6)


def _middle(box: Float[np.ndarray, "4"] | None) -> Float[np.ndarray, "2"]:
    return (box[:2] + box[2:]) / 2 if box is not None else np.zeros(2)
