"""All pictures of a source through the detectors, chunk by chunk, on several threads, resumable."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import cv2
import numpy as np

from lca_dataparsers.processing.ahead import ahead
from lca_dataparsers.processing.camera_motion import BackgroundFollower
from lca_dataparsers.processing.change_meter import ChangeMeter
from lca_dataparsers.processing.choosing import THE_LARGEST, PersonChoice
from lca_dataparsers.processing.decode import Picture, Source
from lca_dataparsers.processing.estimators import PersonDetails, PersonEstimator, Sighting
from lca_dataparsers.processing.filters import NO_FILTERS, TOO_MANY, FilterConfig
from lca_dataparsers.processing.looking import Chunk, Team
from lca_dataparsers.processing.notes import NO_PERSON, FrameNote, refused_person, sharpness
from lca_dataparsers.processing.observations import ClipObservations, empty_observations
from lca_dataparsers.processing.work_folder import WorkFolder

CHUNK = 16
"""Pictures per chunk of a clip. Six chunks are on their way at a time: so much memory, and so much work for a killed
run to lose."""


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
    photos = source.kind == "photos"
    chooser = choice.chooser(source.track, _last_box(chunks))
    background = None if photos else BackgroundFollower(chunks[-1].camera_path[-1] if chunks else np.zeros(3))
    done = len(notes)
    del chunks, notes  # a long clip's would lie about while the rest is detected
    with (
        closing(source.pictures()) as pictures,
        ThreadPoolExecutor(len(estimators)) as pool,
        ThreadPoolExecutor(2) as sides,
        ThreadPoolExecutor(1) as writer,
    ):
        team = Team(pool, estimators, filters)
        going: list[tuple[Chunk, Future[list[PersonDetails | None]]]] = []
        written: Future[None] | None = None
        before: Chunk | None = None

        def finish() -> None:
            nonlocal written
            chunk, details = going.pop(0)
            observations, notes, masks = _observed(chunk, details.result(), filters)
            if background is not None:
                observations.camera_path[:] = background.follow([picture.image for picture in chunk.pictures], masks)
            if written is not None:
                written.result()
            images = [picture.image for picture in chunk.pictures]
            written = writer.submit(folder.add, observations, notes, images, masks)
            progress(len(chunk.pictures))

        rest = _prepared(pictures, done, long_side, background)
        if done:  # the last of them is looked at again: the next ones are followed from there
            (before,) = team.looked(iter([[next(rest)]]))
            team.choose(before, chooser, first=True)
        seen = None if photos or before is None else before.people[-1]
        taken = _in_chunks(rest, 1 if photos else CHUNK)
        with closing(ahead(taken)) as decoded, closing(ahead(team.looked(decoded, seen, apart=photos))) as looked:
            for chunk in looked:
                if photos:
                    chooser, before = choice.chooser(), None
                team.choose(chunk, chooser, first=before is None)
                going.append((chunk, sides.submit(team.detailed, chunk, before)))
                before = chunk
                if len(going) > 1:
                    finish()
            while going:
                finish()
        if written is not None:
            written.result()
    folder.finish(list(source.notices))


def _prepared(
    pictures: Iterator[Picture], done: int, long_side: int, background: BackgroundFollower | None
) -> Iterator[tuple[Picture, float]]:
    """Pictures from the last one that is ``done`` on, not too large, each with its change from the one before. The
    ``background`` begins with that one.
    """
    meter = ChangeMeter()
    for count, picture in enumerate(pictures):
        if count < done - 2:
            continue
        fitted = picture.fitted(long_side)
        change = meter.change(fitted.image)
        if count == done - 1 and background is not None:
            background.begin(fitted.image)
        if count >= done - 1:
            yield fitted, change


def _in_chunks(
    pictures: Iterator[tuple[Picture, float]], count: int
) -> Generator[list[tuple[Picture, float]], None, None]:
    while chunk := list(islice(pictures, count)):
        yield chunk


def _last_box(chunks: list[ClipObservations]) -> np.ndarray | None:
    boxes = [box for chunk in chunks for box in chunk.person_boxes if np.isfinite(box).all()]
    return boxes[-1] if boxes else None


def _observed(
    chunk: Chunk, details: list[PersonDetails | None], filters: FilterConfig
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
