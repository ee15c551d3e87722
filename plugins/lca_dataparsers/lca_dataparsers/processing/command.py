"""``lca-data process``: videos and photos of people into a dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from lca_dataparsers.processing.decode import Source
    from lca_dataparsers.processing.estimators import PersonEstimator

WORK_FOLDER = ".processing"
OVERLAY_FOLDER = "overlays"


@dataclass(frozen=True)
class ProcessConfig:
    """Turn a video, a folder of frames or photos, or a folder of videos into a dataset.

    A run that was stopped goes on when the same command is given again. Subjects already in the dataset are kept.
    """

    input: Annotated[Path, tyro.conf.Positional]
    """A video, a photo, a folder of frames or photos, or a folder of videos (one subject each)."""
    output_dir: Path
    """The dataset's folder; a dataset that is there already is added to."""
    folder_holds: Literal["auto", "frames", "photos", "people"] = "auto"
    """What a folder of pictures holds: frames of one clip, photos of one person, or photos of a different person each.
    auto: files of one size numbered in equal steps are frames, others are photos of one person."""
    subject: str | None = None
    """Name of the subject; by default made of the input's name."""
    fps: float | None = None
    """Of a video: use at most so many frames a second. Of a folder of frames: their rate (30 by default)."""
    max_frames: int | None = None
    """Stop after so many pictures of each input."""
    max_size: int = 1280
    """Long side of the stored pictures at most, pixels."""
    person: int | None = None
    """Which of several people, counted from 0 at the left; by default the largest."""
    field_of_view: float = 50.0
    """Assumed of the camera along the long side, degrees, where the file's metadata has no focal length."""
    effort: float = 1.0
    """Factor on the iterations of the body fit, 0.5 or more: less is faster and coarser."""
    split: Literal["train", "val", "test"] = "train"
    """The split the subjects belong to."""
    licence: str = "unknown"
    """Of the pictures; goes into the dataset."""
    overlay: bool = True
    """Draw the fitted body over the pictures, into OUTPUT_DIR/overlays."""
    overwrite: bool = False
    """Make subjects anew that are in the dataset already."""
    keep_detections: bool = False
    """Keep what the detectors found (in OUTPUT_DIR/.processing), so that a later run need only fit."""
    estimator: Literal["mediapipe"] = "mediapipe"
    """What finds people, faces and hands."""
    model_dir: Path | None = None
    """Looked through first for weights; then LCA_MODEL_DIR, then the user's cache, then they are fetched."""
    workers: int = 0
    """Threads of detection; 0 = one per core, at most 4."""


def run(config: ProcessConfig) -> None:
    """Make the dataset.

    Raises:
        UserError: a setting makes no sense, the input or output cannot be used, or nothing could be made of it. What
            could be made of other inputs is written all the same.
    """
    from lca_dataparsers.processing.inputs import check_settings, named_sources
    from lca_shared.errors import UserError
    from lca_shared.memory import return_large_blocks

    return_large_blocks()  # pictures come and go one by one, what is known of each stays
    check_settings(config)
    sources = named_sources(config)
    writer = _open_writer(config)
    todo = {name: source for name, source in sources.items() if config.overwrite or not writer.has_subject(name)}
    if not todo:
        print(
            f"All {len(sources)} subjects are in {config.output_dir} already (--overwrite makes them anew). "
            f"Next: lca-data inspect {config.output_dir}"
        )
        return
    reports, failures = _process_all(config, todo, writer)
    if failures and not reports and len(failures) == 1:
        raise UserError(next(iter(failures.values())))
    _tell(config, reports, kept=len(sources) - len(todo))
    if failures:
        listed = " ".join(failures.values())
        raise UserError(f"{len(failures)} of {len(todo)} inputs gave no subject: {listed}")


def _process_all(config: ProcessConfig, todo: "dict[str, Source]", writer) -> tuple[dict[str, dict], dict[str, str]]:
    """Reports of what was written, and messages of what could not be, by subject."""
    from lca_dataparsers.processing.fitting import FitConfig
    from lca_dataparsers.processing.progress import Stages
    from lca_dataparsers.processing.subject import SubjectSettings, process_subject
    from lca_dataparsers.processing.work_folder import WorkFolder, fingerprint
    from lca_shared.errors import UserError

    estimators = _build_estimators(config)
    settings = SubjectSettings(
        long_side=config.max_size,
        person=config.person,
        fit=FitConfig(field_of_view=config.field_of_view, effort=config.effort),
        split=config.split,
        licence=config.licence,
        overlay=config.output_dir / OVERLAY_FOLDER if config.overlay else None,
    )
    reports, failures = {}, {}
    with Stages() as stages:
        for name, source in todo.items():
            detection = {
                "estimator": estimators[0].name,
                "kind": source.kind,
                "fps": source.fps,
                "max_frames": source.max_frames,
                "max_size": config.max_size,
                "person": config.person,
            }
            folder = WorkFolder(config.output_dir / WORK_FOLDER / name, fingerprint(detection, source.files))
            try:
                reports[name] = process_subject(name, source, folder, writer, estimators, settings, stages)
            except UserError as error:
                failures[name] = str(error)
                if len(todo) > 1:
                    stages.say(f"{name}: {error}")
                continue
            for notice in (*folder.notices, *_notices(reports[name], config)):
                stages.say(f"{name}: {notice}.")
            if not config.keep_detections:
                folder.remove()
    for estimator in estimators:
        estimator.close()
    return reports, failures


def _notices(report: dict, config: ProcessConfig) -> list[str]:
    if not report["several_people"] or config.person is not None:
        return []
    return [
        f"more than one person in {report['several_people']} of {report['pictures']} pictures; the largest was "
        "followed (--person 0, 1, ... takes one counted from the left)"
    ]


def _open_writer(config: ProcessConfig):
    from lca_dataparsers.dataset.schema import DatasetInfo
    from lca_dataparsers.dataset.writer import DatasetWriter
    from lca_dataparsers.processing.subject import BODY_MODEL
    from lca_shared.body import get_body_model

    body = get_body_model(BODY_MODEL)
    info = DatasetInfo(
        kind="wild",
        body_model=body.name,
        driven_joints=tuple(body.driven_joints),
        shape_names=tuple(body.shape_names),
        expression_names=tuple(body.expression_names),
        source="lca-data process",
        licence=config.licence,
    )
    writer = DatasetWriter(config.output_dir, info)
    writer.remove_leftovers()
    return writer


def _build_estimators(config: ProcessConfig) -> "list[PersonEstimator]":
    import os

    from lca_dataparsers.processing.estimators import build_estimator

    count = config.workers or min(4, os.cpu_count() or 1)
    return [build_estimator(config.estimator, config.model_dir) for _ in range(count)]


def _tell(config: ProcessConfig, reports: dict[str, dict], kept: int) -> None:
    from rich.console import Console

    from lca_dataparsers.processing.report import report_table, summary_table
    from lca_dataparsers.processing.timing import steps_table

    console = Console()
    if len(reports) == 1:
        subject, report = next(iter(reports.items()))
        console.print(report_table(subject, report))
        console.print(steps_table(report["steps"], report["pictures"]))
    elif reports:
        console.print(summary_table(reports))
    used, read = (sum(report[key] for report in reports.values()) for key in ("used", "pictures"))
    already = f" ({kept} were there already)" if kept else ""
    drawn = f", overlays to {config.output_dir / OVERLAY_FOLDER}" if config.overlay and reports else ""
    if reports:
        print(
            f"Wrote {len(reports)} {'subject' if len(reports) == 1 else 'subjects'}{already} with {used} of {read} "
            f"pictures to {config.output_dir}{drawn}. "
            f"Next: lca-data inspect {config.output_dir}"
        )
