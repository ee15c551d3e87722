"""Everybody in a shot: each person's track, so that each can be made a subject of their own."""

from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from lca_dataparsers.processing.choosing import Track, overlap
from lca_dataparsers.processing.decode import Source
from lca_dataparsers.processing.estimators import PersonEstimator
from lca_dataparsers.processing.notes import is_blank
from lca_shared.tensors import Float

STRIDE = 3
"""Of so many pictures one is looked at."""
_SAME = 0.3
"""Overlap (intersection over union) of boxes in successive looks from which it is the same person."""
_GAP = 0.5
"""Seconds a person may be lost before the track ends."""


@dataclass
class _Open:
    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)


def find_people(source: Source, estimator: PersonEstimator, *, long_side: int, least_seconds: float) -> list[Track]:
    """Tracks of at least ``least_seconds``, the one seen first (then the one farther left) first.

    A person who leaves and comes back is two tracks: nothing tells that they are the same.

    Raises:
        UserError: the source cannot be read.
    """
    looks: list[tuple[float, list[np.ndarray]]] = []
    with closing(source.pictures()) as pictures:
        for count, picture in enumerate(pictures):
            if count % STRIDE == 0:
                small = picture.fitted(long_side)
                found = [] if is_blank(small.image) else estimator.people(small.image)
                looks.append((picture.time, [person.box for person in found]))
    return linked(looks, least_seconds)


def linked(looks: list[tuple[float, list[Float[np.ndarray, "4"]]]], least_seconds: float) -> list[Track]:
    """Boxes (left, top, right, bottom) of successive looks joined into tracks, best overlaps first.

    Args:
        looks: time in seconds, and the boxes seen then.
        least_seconds: of the tracks that are kept.
    """
    running: list[_Open] = []
    ended: list[_Open] = []
    for time, boxes in looks:
        ended += [track for track in running if time - track.times[-1] > _GAP]
        running = [track for track in running if time - track.times[-1] <= _GAP]
        pairs = sorted(
            ((overlap(track.boxes[-1], box), i, j) for i, track in enumerate(running) for j, box in enumerate(boxes)),
            reverse=True,
        )
        taken_tracks: set[int] = set()
        taken_boxes: set[int] = set()
        for share, i, j in pairs:
            if share >= _SAME and i not in taken_tracks and j not in taken_boxes:
                taken_tracks.add(i)
                taken_boxes.add(j)
                running[i].times.append(time)
                running[i].boxes.append(boxes[j])
        running += [_Open([time], [box]) for j, box in enumerate(boxes) if j not in taken_boxes]
    long_enough = [track for track in ended + running if track.times[-1] - track.times[0] >= least_seconds]
    long_enough.sort(key=lambda track: (track.times[0], float(track.boxes[0][0])))
    return [Track(tuple(t.times), tuple(tuple(map(float, box)) for box in t.boxes)) for t in long_enough]  # type: ignore[misc]
