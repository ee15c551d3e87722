"""All pictures of a source through the detectors, chunk by chunk, on several threads, resumable."""

import bisect
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import cv2
import numpy as np

from lca_dataparsers.processing.change_meter import ChangeMeter
from lca_dataparsers.processing.choosing import THE_LARGEST, PersonChoice, PersonChooser, TrackFollower
from lca_dataparsers.processing.decode import Picture, Source
from lca_dataparsers.processing.estimators import PersonDetails, PersonEstimator, Sighting
from lca_dataparsers.processing.estimators.protocol import ExpectedHands
from lca_dataparsers.processing.filters import (
    DUPLICATE,
    DUPLICATE_CHANGE,
    NO_FILTERS,
    TOO_MANY,
    FilterConfig,
)
from lca_dataparsers.processing.hand_following import expected_hands
from lca_dataparsers.processing.notes import BLANK, NO_PERSON, FrameNote, is_blank, refused_person, sharpness
from lca_dataparsers.processing.observations import ClipObservations, empty_observations
from lca_dataparsers.processing.work_folder import WorkFolder

CHUNK = 16
"""Pictures per chunk of a clip. Four chunks are on their way at a time: so much memory, and so much work for a killed
run to lose."""
HAND_STRIDE = 4
"""Pictures of a chunk in which both hands are always looked for."""


def estimate_source(
    source: Source,
    folder: WorkFolder,
    estimators: list[PersonEstimator],
    *,
    long_side: int,
    choice: PersonChoice = THE_LARGEST,
    filters: FilterConfig = NO_FILTERS,
    progress: Callable[[int], None] = lambda pictures: None,
) -> None:
    """Run the detectors over what is left of ``source`` and put the results into ``folder``.

    Args:
        source: the pictures.
        folder: holds the chunks of an earlier run, and takes the new ones.
        estimators: one per thread.
        long_side: of the stored pictures, pixels.
        choice: which of several people; of a source that names a track, that one.
        filters: what pictures must have.
        progress: called with the number of pictures done since the last call.

    Raises:
        UserError: the source cannot be read, or the folder cannot be written.
    """
    if folder.finished:
        return
    chunks, notes = folder.load()
    progress(len(notes))
    size = 1 if source.kind == "photos" else CHUNK
    chooser = choice.chooser(source.track, _last_box(chunks))
    done = len(notes)
    del chunks, notes  # a long clip's would lie about while the rest is detected
    idle: queue.SimpleQueue[PersonEstimator] = queue.SimpleQueue()
    for estimator in estimators:
        idle.put(estimator)
    with (
        closing(source.pictures()) as pictures,
        ThreadPoolExecutor(len(estimators) + 1) as pool,
        ThreadPoolExecutor(1) as writer,
    ):
        rest = _prepared(pictures, done, long_side)
        team = _Team(pool, idle)
        written: Future[None] | None = None
        chunk = team.begun(_take(rest, size), filters)
        while chunk.pictures:
            coming = pool.submit(_take, rest, size)  # decoding and writing go on meanwhile
            own = chooser if source.kind != "photos" else choice.chooser()
            chunk.choose(own, filters)
            probes = team.submit_probes(chunk)
            after = team.begun(coming.result(), filters)  # nobody waits for the last of this chunk
            observations, notes, masks = _observed(chunk, team.details(chunk, probes), filters)
            if written is not None:
                written.result()
            images = [picture.image for picture in chunk.pictures]
            written = writer.submit(folder.add, observations, notes, images, masks)
            progress(len(chunk.pictures))
            chunk = after
        if written is not None:
            written.result()
    folder.finish(list(source.notices))


def _prepared(pictures: Iterator[Picture], done: int, long_side: int) -> Iterator[tuple[Picture, float]]:
    """Pictures after the first ``done``, not too large, each with its change from the one before."""
    meter = ChangeMeter()
    for count, picture in enumerate(pictures):
        if count < done - 1:
            continue
        fitted = picture.fitted(long_side)
        change = meter.change(fitted.image)
        if count >= done:
            yield fitted, change


def _take(pictures: Iterator[tuple[Picture, float]], count: int) -> list[tuple[Picture, float]]:
    return list(islice(pictures, count))


def _last_box(chunks: list[ClipObservations]) -> np.ndarray | None:
    boxes = [box for chunk in chunks for box in chunk.person_boxes if np.isfinite(box).all()]
    return boxes[-1] if boxes else None


@dataclass
class _Chunk:
    """Some pictures on their way through the detectors."""

    pictures: list[Picture]
    changes: list[float]
    early: list[str]
    """Why a picture is not looked at; empty if it is."""
    looks: list[Future[list[Sighting]]]
    people: list[list[Sighting]] = field(default_factory=list)
    chosen: list[Sighting | None] = field(default_factory=list)

    def choose(self, chooser: PersonChooser | TrackFollower, filters: FilterConfig) -> None:
        """Say who is followed, in order."""
        self.people = [look.result() for look in self.looks]
        self.chosen = [chooser.choose(found, picture.time) for found, picture in zip(self.people, self.pictures)]
        if filters.max_people is not None:
            enough = filters.max_people
            self.chosen = [p if len(found) <= enough else None for p, found in zip(self.chosen, self.people)]


class _Team:
    """Estimators on threads. Tasks of one chunk fill the gaps that another's leave."""

    def __init__(self, pool: ThreadPoolExecutor, idle: "queue.SimpleQueue[PersonEstimator]") -> None:
        self._pool, self._idle = pool, idle

    def begun(self, taken: list[tuple[Picture, float]], filters: FilterConfig) -> _Chunk:
        """Begin to look for people."""
        pictures, changes = [picture for picture, _ in taken], [change for _, change in taken]
        early = [_not_looked_at(picture, change, filters) for picture, change in taken]
        looks = [self._pool.submit(self._look, *one) for one in zip(pictures, early)]
        return _Chunk(pictures, changes, early, looks)

    def submit_probes(self, chunk: _Chunk) -> dict[int, "Future[PersonDetails | None]"]:
        """Begin with the pictures in which both hands are looked for."""
        count = len(chunk.pictures)
        rows = sorted({*range(0, count, HAND_STRIDE), count - 1})
        return {row: self._pool.submit(self._look_closer, chunk, row, (True, True), None) for row in rows}

    def details(self, chunk: _Chunk, probes: dict[int, "Future[PersonDetails | None]"]) -> list[PersonDetails | None]:
        """Details of all pictures. Looking all over for hands costs as much as all the rest, so between two pictures,
        :data:`HAND_STRIDE` apart, they are only looked for where these have them.
        """
        known = {row: probe.result() for row, probe in probes.items()}
        rest = {
            row: self._pool.submit(self._look_closer, chunk, row, *_likely_hands(row, chunk.chosen, known))
            for row in range(len(chunk.pictures))
            if row not in known
        }
        return [known[row] if row in known else rest[row].result() for row in range(len(chunk.pictures))]

    def _look(self, picture: Picture, reason: str) -> list[Sighting]:
        if reason:
            return []
        estimator = self._idle.get()
        try:
            return estimator.people(picture.image)
        finally:
            self._idle.put(estimator)

    def _look_closer(
        self, chunk: _Chunk, row: int, hands: tuple[bool, bool], expected: ExpectedHands | None
    ) -> PersonDetails | None:
        person = chunk.chosen[row]
        if person is None:
            return None
        estimator = self._idle.get()
        try:
            return estimator.details(chunk.pictures[row].image, person, len(chunk.people[row]) == 1, hands, expected)
        finally:
            self._idle.put(estimator)


def _not_looked_at(picture: Picture, change: float, filters: FilterConfig) -> str:
    if is_blank(picture.image):
        return BLANK
    return DUPLICATE if filters.drop_duplicates and change < DUPLICATE_CHANGE else ""


def _likely_hands(
    row: int, chosen: list[Sighting | None], known: dict[int, PersonDetails | None]
) -> tuple[tuple[bool, bool], ExpectedHands | None]:
    """Which hands to look for in a picture, and where, from the two nearest that are ``known``."""
    rows, person = sorted(known), chosen[row]
    after = bisect.bisect(rows, row)
    around = [
        (at, there.points, found.hand_points, found.hand_scores)
        for at in rows[after - 1 : after + 1]
        if (found := known[at]) is not None and (there := chosen[at]) is not None
    ]
    if person is None or not around:
        return (True, True), None
    expected = expected_hands(row, person.points, around)
    left, right = np.isfinite(expected.points).all(axis=(1, 2))
    return (bool(left), bool(right)), expected


def _observed(
    chunk: _Chunk, details: list[PersonDetails | None], filters: FilterConfig
) -> tuple[ClipObservations, list[FrameNote], list[np.ndarray | None]]:
    """Observations, notes and masks of one chunk."""
    pictures = chunk.pictures
    times, first = np.array([picture.time for picture in pictures]), pictures[0]
    observations = empty_observations(times, first.size, first.focal)
    notes, masks = [], []
    for row, (picture, found, person, detail) in enumerate(zip(pictures, chunk.people, chunk.chosen, details)):
        crowd = filters.max_people is not None and len(found) > filters.max_people
        refused, mask, sharp = chunk.early[row] or (TOO_MANY if crowd else NO_PERSON), None, 0.0
        if person is not None and detail is not None:
            mask = _with_transparency(detail.mask, picture.alpha)
            refused = refused_person(detail.box, person.points, person.visibility, picture.size, filters.min_person)
            if not refused:
                _fill(observations, row, person, detail, mask)
                sharp = sharpness(picture.image, detail.box)
        width, height = picture.size
        notes.append(
            FrameNote(
                index=picture.index,
                time=picture.time,
                name=picture.name,
                width=width,
                height=height,
                focal=picture.focal,
                people=len(found),
                sharpness=sharp,
                change=chunk.changes[row],
                refused=refused,
            )
        )
        masks.append(None if refused else mask)
    return observations, notes, masks


def _with_transparency(mask: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Pictures that were cut out before know their outline better than any detector."""
    return mask if alpha is None else np.where(cv2.dilate(mask, np.ones((15, 15))) > 64, alpha, 0).astype(np.uint8)


def _fill(observations: ClipObservations, row: int, person: Sighting, detail: PersonDetails, mask: np.ndarray) -> None:
    observations.body_points[row] = person.points
    observations.body_visibility[row] = person.visibility
    observations.body_points_world[row] = person.points_world
    for name in ("face_points", "blendshapes", "head_from_canonical", "hand_points", "hand_scores"):
        getattr(observations, name)[row] = getattr(detail, name)
    masks = observations.masks
    assert isinstance(masks, np.ndarray)  # packed only once chunks are gathered
    height, width = masks.shape[1:]
    masks[row] = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    observations.person_boxes[row] = detail.box
