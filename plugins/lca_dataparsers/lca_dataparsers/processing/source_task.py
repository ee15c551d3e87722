"""All that is made of one source: the unit of work that is handed to a process or a cluster."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lca_dataparsers.dataset.schema import DatasetInfo
from lca_dataparsers.dataset.writer import DatasetWriter
from lca_dataparsers.processing.choosing import PersonChoice
from lca_dataparsers.processing.clips import Clip, clips_of
from lca_dataparsers.processing.decode import Source
from lca_dataparsers.processing.estimator_config import EstimatorConfig
from lca_dataparsers.processing.estimators import PersonEstimator, build_estimator
from lca_dataparsers.processing.fitting import FitConfig
from lca_dataparsers.processing.outcome import Outcome
from lca_dataparsers.processing.progress import Stages
from lca_dataparsers.processing.subject import BODY_MODEL, NothingUsable, SubjectSettings, process_subject
from lca_dataparsers.processing.work_folder import WorkFolder, fingerprint
from lca_shared.body import get_body_model
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_dataparsers.processing.command import ProcessConfig

WORK_FOLDER = ".processing"
OVERLAY_FOLDER = "overlays"
STAGING_FOLDER = ".dataset"
"""Where subjects wait until all can be put into shards."""


def dataset_root(config: "ProcessConfig") -> Path:
    """The folder of the dataset that is written."""
    return config.output_dir / STAGING_FOLDER if config.shards else config.output_dir


def open_writer(config: "ProcessConfig") -> DatasetWriter:
    """The writer of the run's dataset.

    Raises:
        UserError: the folder cannot be written or holds another dataset.
    """
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
    return DatasetWriter(dataset_root(config), info)


def process_source_alone(config: "ProcessConfig", name: str, source: Source) -> list[Outcome]:
    """The same on one core and without progress bars, with detectors that this process keeps."""
    import cv2
    import torch

    from lca_shared.memory import return_large_blocks

    return_large_blocks()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    estimators = [_kept_estimator(config.estimators, config.model_dir)]
    with Stages(visible=False) as stages:
        return process_source(config, name, source, open_writer(config), estimators, stages)


@cache
def _kept_estimator(config: EstimatorConfig, model_dir: Path | None) -> PersonEstimator:
    return build_estimator(config, model_dir, head_matrix=False)


def process_source(
    config: "ProcessConfig",
    name: str,
    source: Source,
    writer: DatasetWriter,
    estimators: list[PersonEstimator],
    stages: Stages,
) -> list[Outcome]:
    """Cut a source into clips and make a subject of each. Subjects that are there already are kept.

    A clip that cannot be used does not keep the others from being made.
    """
    try:
        clips = clips_of(
            name,
            source,
            estimators[0],
            cut=config.shots == "cut",
            people=config.people,
            least_frames=config.filters.min_frames,
            long_side=config.max_size,
        )
    except UserError as error:
        return [Outcome(name, str(source.path), "failed", str(error))]
    outcomes = []
    for clip in clips:
        if clip.reason:
            outcomes.append(Outcome(clip.name, str(source.path), "left out", f"{source.path}: {clip.reason}."))
        elif config.overwrite or not writer.has_subject(clip.name):
            outcomes.append(_process_clip(config, clip, writer, estimators, stages))
    return outcomes


def _process_clip(
    config: "ProcessConfig", clip: Clip, writer: DatasetWriter, estimators: list[PersonEstimator], stages: Stages
) -> Outcome:
    source = clip.source
    choice = PersonChoice(config.person, config.people == "one")
    detection = {
        "estimator": estimators[0].name,
        "kind": source.kind,
        "fps": source.fps,
        "max_frames": source.max_frames,
        "max_size": config.max_size,
        "choice": choice,
        "span": source.span,
        "track": source.track,
        "filters": replace(config.filters, min_sharpness=0.0, min_quality=0.0, need_face=False, min_frames=1),
    }
    settings = SubjectSettings(
        long_side=config.max_size,
        choice=choice,
        filters=config.filters,
        fit=FitConfig(field_of_view=config.field_of_view, effort=config.effort),
        split=config.split,
        licence=config.licence,
        overlay=config.output_dir / OVERLAY_FOLDER if config.overlay else None,
    )
    samples: dict = {}
    try:
        place = dataset_root(config) / WORK_FOLDER / clip.name
        folder = WorkFolder(place, fingerprint(detection, source.files), writer.write_image)
        report = process_subject(clip.name, source, folder, writer, estimators, settings, stages, samples)
    except NothingUsable as error:
        return Outcome(clip.name, str(source.path), "left out", str(error), samples=samples)
    except UserError as error:
        return Outcome(clip.name, str(source.path), "failed", str(error), samples=samples)
    notices = (*folder.notices, *_notices(report, config))
    if not config.keep_detections:
        folder.remove()
    return Outcome(clip.name, str(source.path), "written", "", report, notices, samples)


def _notices(report: dict, config: "ProcessConfig") -> list[str]:
    if not report["several_people"] or config.person is not None or config.people != "largest":
        return []
    return [
        f"more than one person in {report['several_people']} of {report['pictures']} pictures; the largest was "
        "followed (--person 0, 1, ... takes one counted from the left, --people each makes a subject of each)"
    ]
