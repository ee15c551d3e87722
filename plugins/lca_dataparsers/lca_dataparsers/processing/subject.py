"""One subject from detection to the dataset."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lca_dataparsers.dataset.schema import FrameRecord, SubjectInfo
from lca_dataparsers.dataset.writer import DatasetWriter
from lca_dataparsers.processing.camera_motion import steadied
from lca_dataparsers.processing.choosing import PersonChoice
from lca_dataparsers.processing.decode import Source
from lca_dataparsers.processing.estimate import estimate_source
from lca_dataparsers.processing.estimators import PersonEstimator
from lca_dataparsers.processing.filters import FilterConfig
from lca_dataparsers.processing.fitting import FitConfig, fit_clip
from lca_dataparsers.processing.fitting.ready import make_ready
from lca_dataparsers.processing.notes import FrameNote, counted
from lca_dataparsers.processing.observations import ClipObservations, concatenate
from lca_dataparsers.processing.one_camera import IN_PLACE, Placement, brought_together
from lca_dataparsers.processing.overlay_video import LONG_SIDE as OVERLAY_SIDE
from lca_dataparsers.processing.overlay_video import NoOverlay, Overlay, SheetOverlay, VideoOverlay, drawn_frame
from lca_dataparsers.processing.progress import Stages
from lca_dataparsers.processing.records import FittedClip, frame_record, head_boxes
from lca_dataparsers.processing.report import make_report, timing
from lca_dataparsers.processing.samples import MOST_SAMPLES, SAMPLE_SIDE, Samples, add_sample
from lca_dataparsers.processing.sides import untangled
from lca_dataparsers.processing.timing import StepTimes, gathered_times
from lca_dataparsers.processing.work_folder import WorkFolder
from lca_shared.body import get_body_model
from lca_shared.errors import UserError

BODY_MODEL = "anny"
_LOOK_AHEAD = 4
"""Pictures that are worked on ahead of the writer."""
_OVERLAY_RATE = 10.0
"""Frames per second of an overlay at most: drawing costs as much as detecting."""


@dataclass(frozen=True)
class SubjectSettings:
    """How a subject is made."""

    long_side: int
    choice: PersonChoice
    filters: FilterConfig
    fit: FitConfig
    split: str
    licence: str
    overlay: Path | None
    """Folder of the overlays; None = draw none."""


class NothingUsable(UserError):
    """The source could be read, but no subject can be made of it."""


def process_subject(
    name: str,
    source: Source,
    folder: WorkFolder,
    writer: DatasetWriter,
    estimators: list[PersonEstimator],
    settings: SubjectSettings,
    stages: Stages,
    samples: Samples,
) -> dict[str, Any]:
    """Detect, fit, and write one subject. ``samples`` takes some of the pictures that are left out.

    Returns:
        Its report (see :func:`make_report`).

    Raises:
        NothingUsable: nobody was found, or too few pictures are good enough; what was detected stays in ``folder``.
        UserError: the source cannot be read.
    """
    times, before = StepTimes(), gathered_times(estimators)
    with (
        times.step("detect"),
        stages.stage(f"{name}: detecting", source.expected) as advance,
        ThreadPoolExecutor(1) as aside,
    ):
        ready = aside.submit(make_ready)
        estimate_source(
            source,
            folder,
            estimators,
            long_side=settings.long_side,
            choice=settings.choice,
            filters=settings.filters,
            progress=advance,
        )
        ready.result()
    for part, seconds in gathered_times(estimators).items():
        times.add(part, seconds - before.get(part, 0.0))
    _collect_unfitted(folder, samples)
    with times.step("fit"):
        clip = _fitted(name, source, folder, settings, stages)
    reasons = clip.reasons(settings.filters)
    if reasons.count("") < settings.filters.min_frames:
        few = "no picture" if "" not in reasons else f"only {reasons.count('')} of {len(reasons)} pictures"
        raise NothingUsable(f"{source.path}: {few} can be used ({_said(reasons)}).")
    report = make_report(clip, reasons, source.kind != "photos") | timing(len(reasons), times)
    subject = SubjectInfo(
        id=name,
        shape=tuple(clip.fit.shape.tolist()),
        split=settings.split,
        source=str(source.path.name),
        licence=settings.licence,
        report=report,
    )
    with times.step("write"), stages.stage(f"{name}: writing", report["used"]) as advance:
        with _open_overlay(name, source, clip, settings.overlay) as overlay:
            frames = _counting(_frames(clip, reasons, source, folder, overlay, samples), advance)
            writer.write_subject(subject, frames, overwrite=True)
    return report | timing(len(reasons), times)


def _collect_unfitted(folder: WorkFolder, samples: Samples) -> None:
    """Samples of the pictures that detection left out."""
    taken: Counter[str] = Counter()
    for note in folder.load()[1]:
        if note.refused and taken[note.refused] < MOST_SAMPLES:
            taken[note.refused] += 1
            add_sample(samples, note.refused, folder.image(note, SAMPLE_SIDE))


def _fitted(name: str, source: Source, folder: WorkFolder, settings: SubjectSettings, stages: Stages) -> FittedClip:
    observations, placements, notes = _gathered(source, folder, settings)
    config = replace(settings.fit, independent_frames=source.kind == "photos")
    with stages.stage(f"{name}: fitting the body", 1000) as advance:
        done = 0

        def share(value: float) -> None:
            nonlocal done
            advance(int(1000 * value) - done)
            done = int(1000 * value)

        fit = fit_clip(observations, config, share)
    return FittedClip(observations, fit, notes, placements)


def _gathered(
    source: Source, folder: WorkFolder, settings: SubjectSettings
) -> tuple[ClipObservations, list[Placement], list[FrameNote]]:
    """All that was detected, as one clip of one camera."""
    chunks, notes = folder.load()
    if not any(chunk.seen.any() for chunk in chunks):
        raise NothingUsable(
            f"{source.path}: nobody was found in {len(notes)} pictures ({_said([note.refused for note in notes])}). "
            "A person should be at least 96 pixels tall and in plain view."
        )
    if source.kind == "photos":
        return *brought_together(chunks, notes, settings.fit.field_of_view), notes
    clip = untangled(concatenate(chunks))[0]
    return replace(clip, camera_path=steadied(clip.camera_path)), [IN_PLACE] * len(notes), notes


def _counting(frames: Iterator[Any], advance: Callable[[int], None]) -> Iterator[Any]:
    for frame in frames:
        yield frame
        advance(1)


def _frames(
    clip: FittedClip, reasons: list[str], source: Source, folder: WorkFolder, overlay: Overlay, samples: Samples
) -> Iterator[tuple[FrameRecord, Path, Path]]:
    """Frames for the writer, and the overlay on the way. Pictures and masks are on disk already, as they will stay."""
    body = get_body_model(BODY_MODEL)
    heads, every = head_boxes(body, clip.fit), _every(clip, source)

    def made(row: int) -> tuple[Any, np.ndarray | None]:
        note, reason = clip.notes[row], reasons[row]
        drawn = None
        if overlay.wanted and row % every == 0:
            mask = None if note.refused else folder.mask(note)
            drawn = drawn_frame(clip, row, body, folder.image(note, OVERLAY_SIDE), mask, reason)
        if reason and not note.refused:
            add_sample(samples, reason, folder.image(note, SAMPLE_SIDE))
        if reason:
            return None, drawn
        return (frame_record(clip, row, heads[row]), folder.image_path(note), folder.mask_path(note)), drawn

    for frame, drawn in _side_by_side(made, len(reasons)):
        if drawn is not None:
            overlay.add(drawn)
        if frame is not None:
            yield frame


def _side_by_side(made: Callable[[int], Any], count: int) -> Iterator[Any]:
    """``made`` of every row, in order, on two threads; few drawn pictures are in memory at a time."""
    with ThreadPoolExecutor(2) as pool:
        coming: deque[Future[Any]] = deque()
        for row in range(count):
            coming.append(pool.submit(made, row))
            if len(coming) > _LOOK_AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _every(clip: FittedClip, source: Source) -> int:
    """Of how many frames one is drawn, so that the overlay has at most ``_OVERLAY_RATE`` frames a second."""
    return 1 if source.kind == "photos" else max(1, round(_frame_rate(clip) / _OVERLAY_RATE))


def _frame_rate(clip: FittedClip) -> float:
    steps = np.diff(clip.observations.times)
    return 1 / max(float(np.median(steps)), 1e-3) if len(steps) else 1.0


def _open_overlay(name: str, source: Source, clip: FittedClip, folder: Path | None) -> AbstractContextManager[Overlay]:
    if folder is None:
        return nullcontext(NoOverlay())
    if source.kind == "photos":
        return SheetOverlay(folder / f"{name}.jpg")
    return VideoOverlay(folder / f"{name}.mp4", _frame_rate(clip) / _every(clip, source))


def _said(reasons: list[str]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counted(reasons).items())
