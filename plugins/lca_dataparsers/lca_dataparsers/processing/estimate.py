"""All pictures of a source through the detectors, chunk by chunk, on several threads, resumable."""

import bisect
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import cv2
import numpy as np

from lca_dataparsers.processing.change_meter import ChangeMeter
from lca_dataparsers.processing.choosing import THE_LARGEST, PersonChoice, PersonChooser, TrackFollower
from lca_dataparsers.processing.decode import Picture, Source
from lca_dataparsers.processing.estimators import PersonDetails, PersonEstimator, Sighting
from lca_dataparsers.processing.filters import (
    DUPLICATE,
    DUPLICATE_CHANGE,
    NO_FILTERS,
    TOO_MANY,
    FilterConfig,
)
from lca_dataparsers.processing.notes import BLANK, NO_PERSON, FrameNote, is_blank, refused_person, sharpness
from lca_dataparsers.processing.observations import ClipObservations, empty_observations
from lca_dataparsers.processing.work_folder import WorkFolder

CHUNK = 24
"""Pictures per chunk of a clip: what a killed run loses at most. Bounds the memory."""
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
        coming: Future[list[tuple[Picture, float]]] = pool.submit(_take, rest, size)
        written: Future[None] | None = None
        while chunk := coming.result():
            coming = pool.submit(_take, rest, size)  # decoding and writing go on meanwhile
            own = chooser if source.kind != "photos" else choice.chooser()
            observations, notes, masks = _observed(chunk, own, filters, pool, idle)
            if written is not None:
                written.result()
            images = [picture.image for picture, _ in chunk]
            written = writer.submit(folder.add, observations, notes, images, masks)
            progress(len(chunk))
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


def _observed(
    chunk: list[tuple[Picture, float]],
    chooser: PersonChooser | TrackFollower,
    filters: FilterConfig,
    pool: ThreadPoolExecutor,
    idle: "queue.SimpleQueue[PersonEstimator]",
) -> tuple[ClipObservations, list[FrameNote], list[np.ndarray | None]]:
    """Observations, notes and masks of one chunk. Who is followed is decided in order; all else runs side by side."""
    pictures = [picture for picture, _ in chunk]

    def not_looked_at(picture: Picture, change: float) -> str:
        if is_blank(picture.image):
            return BLANK
        return DUPLICATE if filters.drop_duplicates and change < DUPLICATE_CHANGE else ""

    def look(picture: Picture, reason: str) -> list[Sighting]:
        if reason:
            return []
        estimator = idle.get()
        try:
            return estimator.people(picture.image)
        finally:
            idle.put(estimator)

    def look_closer(row: int, hands: tuple[bool, bool]) -> PersonDetails | None:
        person = chosen[row]
        if person is None:
            return None
        estimator = idle.get()
        try:
            return estimator.details(pictures[row].image, person, len(people[row]) == 1, hands)
        finally:
            idle.put(estimator)

    early = [not_looked_at(*one) for one in chunk]
    people = list(pool.map(look, pictures, early))
    chosen = [chooser.choose(found, picture.time) for found, picture in zip(people, pictures)]
    if filters.max_people is not None:
        chosen = [person if len(found) <= filters.max_people else None for person, found in zip(chosen, people)]
    details = _all_details(len(pictures), look_closer, pool)

    times, first = np.array([picture.time for picture in pictures]), pictures[0]
    observations = empty_observations(times, first.size, first.focal)
    notes, masks = [], []
    for row, ((picture, change), found, person, detail) in enumerate(zip(chunk, people, chosen, details)):
        crowd = filters.max_people is not None and len(found) > filters.max_people
        refused, mask, sharp = early[row] or (TOO_MANY if crowd else NO_PERSON), None, 0.0
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
                change=change,
                refused=refused,
            )
        )
        masks.append(None if refused else mask)
    return observations, notes, masks


def _all_details(
    count: int, look_closer: Callable[[int, tuple[bool, bool]], PersonDetails | None], pool: ThreadPoolExecutor
) -> list[PersonDetails | None]:
    """Details of all pictures of a chunk. Looking in vain for a hand costs as much as all the rest, so between two
    pictures, :data:`HAND_STRIDE` apart, in neither of which a hand was found, it is not looked for.
    """
    probes = sorted({*range(0, count, HAND_STRIDE), count - 1})
    details: dict[int, PersonDetails | None] = dict(
        zip(probes, pool.map(look_closer, probes, [(True, True)] * len(probes)))
    )
    between = [row for row in range(count) if row not in details]
    likely = []
    for row in between:
        after = bisect.bisect(probes, row)
        around = [found.hand_scores > 0 for at in probes[after - 1 : after + 1] if (found := details[at]) is not None]
        left, right = np.any(around, axis=0) if around else (True, True)
        likely.append((bool(left), bool(right)))
    details |= zip(between, pool.map(look_closer, between, likely))
    return [details[row] for row in range(count)]


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
