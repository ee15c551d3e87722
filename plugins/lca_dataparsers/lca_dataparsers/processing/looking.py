"""Chunks of pictures through the estimators, which follow a person and their hands from picture to picture.

Finding a person, or a palm, costs more than reading the points of one whose place is known. So in every
:data:`STRIDE`-th picture, a key, they are looked for; between two keys they are followed. Nothing here depends on how
many threads there are or which is first.
"""

import bisect
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from lca_dataparsers.processing.body_following import expected_place
from lca_dataparsers.processing.choosing import PersonChooser, TrackFollower
from lca_dataparsers.processing.decode import Picture
from lca_dataparsers.processing.estimators import PersonDetails, PersonEstimator, Sighting
from lca_dataparsers.processing.estimators.protocol import HAND_SCORE, ExpectedHands
from lca_dataparsers.processing.filters import DUPLICATE, DUPLICATE_CHANGE, FilterConfig
from lca_dataparsers.processing.hand_following import expected_hands
from lca_dataparsers.processing.notes import BLANK, is_blank

STRIDE = 4
"""Pictures from one key to the next."""


@dataclass
class Chunk:
    """Some pictures on their way."""

    pictures: list[Picture]
    changes: list[float]
    early: list[str]
    """Why a picture is not looked at; empty if it is."""
    people: list[list[Sighting]] = field(default_factory=list)
    """Everybody in each picture."""
    chosen: list[Sighting | None] = field(default_factory=list)
    """Who is followed."""
    details: "dict[int, Future[PersonDetails | None]]" = field(default_factory=dict)
    """Of pictures that have been begun with."""


class Team:
    """Estimators on threads. Tasks of one chunk fill the gaps that another's leave.

    Args:
        pool: a thread for each estimator.
        estimators: not used elsewhere meanwhile.
        filters: what pictures must have.
    """

    def __init__(self, pool: ThreadPoolExecutor, estimators: Sequence[PersonEstimator], filters: FilterConfig) -> None:
        self._pool, self._filters = pool, filters
        self._idle: queue.SimpleQueue[PersonEstimator] = queue.SimpleQueue()
        for estimator in estimators:
            self._idle.put(estimator)

    def looked(
        self, taken: Iterator[list[tuple[Picture, float]]], before: list[Sighting] | None = None, apart: bool = False
    ) -> Iterator[Chunk]:
        """Find everybody in chunks of pictures and their changes.

        Args:
            taken: the chunks.
            before: who is in the picture before the first of them.
            apart: one chunk says nothing about the next.
        """
        for pairs in taken:
            pictures, changes = [picture for picture, _ in pairs], [change for _, change in pairs]
            chunk = Chunk(pictures, changes, [_not_looked_at(*pair, self._filters) for pair in pairs])
            self._find_people(chunk, before)
            before = None if apart else chunk.people[-1]
            yield chunk

    def choose(self, chunk: Chunk, chooser: PersonChooser | TrackFollower, first: bool) -> None:
        """Say who is followed, and begin to look at that person in the pictures with which a chunk begins.

        Args:
            chunk: from :meth:`looked`; in order.
            chooser: says who.
            first: no chunk was before.
        """
        chunk.chosen = [chooser.choose(found, one.time) for found, one in zip(chunk.people, chunk.pictures)]
        if self._filters.max_people is not None:
            enough = self._filters.max_people
            chunk.chosen = [p if len(found) <= enough else None for p, found in zip(chunk.chosen, chunk.people)]
        for row in key_rows(len(chunk.pictures), first)[0]:
            chunk.details[row] = self._pool.submit(self._look_closer, chunk, row, (True, True), None)

    def detailed(self, chunk: Chunk, before: Chunk | None) -> list[PersonDetails | None]:
        """Details of all pictures of a chunk that was chosen from.

        Hands are looked for in keys, first where the keys around them say, and between two keys where these have them.
        """
        known = {row: details.result() for row, details in chunk.details.items()}
        chosen: dict[int, Sighting | None] = dict(enumerate(chunk.chosen))
        if before is not None:
            last = len(before.pictures) - 1
            known[-1], chosen[-1] = before.details[last].result(), before.chosen[last]
        count = len(chunk.pictures)
        _, *levels = key_rows(count, before is None)
        for rows in levels:
            known |= self._all(
                chunk, {row: ((True, True), _sure(_likely_hands(row, chosen, known)[1])) for row in rows}
            )
        between = [row for row in range(count) if row not in known]
        known |= self._all(chunk, {row: _likely_hands(row, chosen, known) for row in between})
        return [known[row] for row in range(count)]

    def _find_people(self, chunk: Chunk, before: list[Sighting] | None) -> None:
        count = len(chunk.pictures)
        keys = sorted(row for rows in key_rows(count, before is None) for row in rows)
        looks = [self._pool.submit(self._look, chunk, row, None) for row in keys]
        known = {row: look.result() for row, look in zip(keys, looks)}
        if before is not None:
            known[-1] = before
        rows = sorted(known)
        following = {}
        for row in range(count):
            if row not in known:
                after = bisect.bisect(rows, row)
                around = [(at, known[at]) for at in rows[after - 1 : after + 1]]
                following[row] = self._pool.submit(self._look, chunk, row, expected_place(row, *around))
        known |= {row: look.result() for row, look in following.items()}
        chunk.people = [known[row] for row in range(count)]

    def _look(self, chunk: Chunk, row: int, expected: np.ndarray | None) -> list[Sighting]:
        if chunk.early[row]:
            return []
        estimator = self._idle.get()
        try:
            return estimator.people(chunk.pictures[row].image, expected)
        finally:
            self._idle.put(estimator)

    def _all(
        self, chunk: Chunk, wanted: "dict[int, tuple[tuple[bool, bool], ExpectedHands | None]]"
    ) -> "dict[int, PersonDetails | None]":
        going = {row: self._pool.submit(self._look_closer, chunk, row, *hands) for row, hands in wanted.items()}
        return {row: details.result() for row, details in going.items()}

    def _look_closer(
        self, chunk: Chunk, row: int, hands: tuple[bool, bool], expected: ExpectedHands | None
    ) -> PersonDetails | None:
        person = chunk.chosen[row]
        if person is None:
            return None
        estimator = self._idle.get()
        try:
            return estimator.details(chunk.pictures[row].image, person, len(chunk.people[row]) == 1, hands, expected)
        finally:
            self._idle.put(estimator)


def key_rows(count: int, first: bool) -> list[list[int]]:
    """Keys of a chunk of ``count`` pictures, in the order in which they are looked at: those of one list side by side,
    those of the next between them. The last picture is the first, and in the ``first`` chunk also the first one.
    """
    levels = [sorted({count - 1, 0} if first else {count - 1})]
    step = STRIDE << max(0, (count - 1) // STRIDE).bit_length()
    while step >= STRIDE:
        known = {row for rows in levels for row in rows}
        levels.append([row for row in range(step - 1, count, step) if row not in known])
        step //= 2
    return [rows for rows in levels if rows]


def _sure(expected: ExpectedHands | None) -> ExpectedHands | None:
    """Without hands that may not be what they were taken for: those are looked for again."""
    if expected is None:
        return None
    doubtful = (expected.scores < HAND_SCORE)[:, None, None]
    return ExpectedHands(np.where(doubtful, np.nan, expected.points), expected.scores)


def _not_looked_at(picture: Picture, change: float, filters: FilterConfig) -> str:
    if is_blank(picture.image):
        return BLANK
    return DUPLICATE if filters.drop_duplicates and change < DUPLICATE_CHANGE else ""


def _likely_hands(
    row: int, chosen: dict[int, Sighting | None], known: dict[int, PersonDetails | None]
) -> tuple[tuple[bool, bool], ExpectedHands | None]:
    """Which hands to look for in a picture, and where, from the two nearest that are ``known``."""
    rows, person = sorted(known), chosen[row]
    after = bisect.bisect(rows, row)
    around = [
        (at, there.points, found.hand_points, found.hand_scores)
        for at in rows[max(0, after - 1) : after + 1]
        if (found := known[at]) is not None and (there := chosen[at]) is not None
    ]
    if person is None or not around:
        return (True, True), None
    expected = expected_hands(row, person.points, around)
    left, right = np.isfinite(expected.points).all(axis=(1, 2))
    return (bool(left), bool(right)), expected
