"""Which of several people a clip is about."""

import numpy as np

from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_shared.tensors import Float

_SAME_PERSON = 0.2
"""Overlap (intersection over union) of boxes in successive pictures from which it is the same person."""


class PersonChooser:
    """Follows one person through a clip.

    Args:
        wanted: None = the largest in the first picture with anybody in it; otherwise their number, counted from 0 at
            the left of the first picture with that many people.
        last: box of the person where an earlier run stopped.
    """

    def __init__(self, wanted: int | None = None, last: Float[np.ndarray, "4"] | None = None) -> None:
        self._wanted, self._last = wanted, last

    def choose(self, people: list[Sighting]) -> Sighting | None:
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


def overlap(first: Float[np.ndarray, "4"], second: Float[np.ndarray, "4"]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (first, second)]
    return both / max(sum(areas) - both, 1e-6)


def _middle(box: Float[np.ndarray, "4"] | None) -> Float[np.ndarray, "2"]:
    return (box[:2] + box[2:]) / 2 if box is not None else np.zeros(2)
