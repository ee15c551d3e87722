"""All pictures of a source through the detectors, chunk by chunk, on several threads, resumable."""

import bisect
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import cv2
import numpy as np

from lca_dataparsers.processing.choosing import PersonChooser
from lca_dataparsers.processing.decode import Picture, Source
from lca_dataparsers.processing.estimators import PersonDetails, PersonEstimator, Sighting
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
    person: int | None = None,
    progress: Callable[[int], None] = lambda pictures: None,
) -> None:
    """Run the detectors over what is left of ``source`` and put the results into ``folder``.

    Args:
        source: the pictures.
        folder: holds the chunks of an earlier run, and takes the new ones.
        estimators: one per thread.
        long_side: of the stored pictures, pixels.
        person: which of several people (see :class:`PersonChooser`).
        progress: called with the number of pictures done since the last call.

    Raises:
        UserError: the source cannot be read, or the folder cannot be written.
    """
    if folder.finished:
        return
    chunks, notes = folder.load()
    progress(len(notes))
    size = 1 if source.kind == "photos" else CHUNK
    chooser = PersonChooser(person, _last_box(chunks))
    done = len(notes)
    del chunks, notes  # a long clip's would lie about while the rest is detected
    idle: queue.SimpleQueue[PersonEstimator] = queue.SimpleQueue()
    for estimator in estimators:
        idle.put(estimator)
    with closing(source.pictures()) as pictures, ThreadPoolExecutor(len(estimators) + 1) as pool:
        rest = (picture.fitted(long_side) for picture in islice(pictures, done, None))
        coming: Future[list[Picture]] = pool.submit(_take, rest, size)
        while chunk := coming.result():
            coming = pool.submit(_take, rest, size)  # decoding goes on meanwhile
            folder.add(*_observed(chunk, chooser if source.kind != "photos" else PersonChooser(person), pool, idle))
            progress(len(chunk))
    folder.finish(list(source.notices))


def _take(pictures: Iterator[Picture], count: int) -> list[Picture]:
    return list(islice(pictures, count))


def _last_box(chunks: list[ClipObservations]) -> np.ndarray | None:
    boxes = [box for chunk in chunks for box in chunk.person_boxes if np.isfinite(box).all()]
    return boxes[-1] if boxes else None


def _observed(
    pictures: list[Picture],
    chooser: PersonChooser,
    pool: ThreadPoolExecutor,
    idle: "queue.SimpleQueue[PersonEstimator]",
) -> tuple[ClipObservations, list[FrameNote], list[np.ndarray | None]]:
    """Observations, notes and masks of one chunk. Who is followed is decided in order; all else runs side by side."""

    def look(picture: Picture) -> list[Sighting] | None:
        if is_blank(picture.image):
            return None
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
            return estimator.details(pictures[row].image, person, len(people[row] or []) == 1, hands)
        finally:
            idle.put(estimator)

    people = list(pool.map(look, pictures))
    chosen = [chooser.choose(found or []) for found in people]
    details = _all_details(len(pictures), look_closer, pool)

    times, first = np.array([picture.time for picture in pictures]), pictures[0]
    observations = empty_observations(times, first.size, first.focal)
    notes, masks = [], []
    for row, (picture, found, person, detail) in enumerate(zip(pictures, people, chosen, details)):
        refused, mask, sharp = BLANK if found is None else NO_PERSON, None, 0.0
        if person is not None and detail is not None:
            mask = _with_transparency(detail.mask, picture.alpha)
            refused = refused_person(detail.box, person.points, person.visibility, picture.size)
            if not refused:
                _fill(observations, row, person, detail, mask)
                sharp = sharpness(picture.image, detail.box)
        width, height = picture.size
        notes.append(
            FrameNote(
                picture.index,
                picture.time,
                picture.name,
                width,
                height,
                picture.focal,
                len(found or []),
                sharp,
                refused,
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
