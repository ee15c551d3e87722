"""``lca-data process``: videos and photos of people into a dataset."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lca_dataparsers.processing.estimator_config import EstimatorConfig
from lca_dataparsers.processing.filters import FilterConfig

if TYPE_CHECKING:
    from lca_dataparsers.processing.decode import Source
    from lca_dataparsers.processing.outcome import Outcome
    from lca_dataparsers.processing.run_log import RunLog


@dataclass(frozen=True)
class ProcessConfig:
    """Turn a video, a folder of frames or photos, or many videos into a dataset.

    A run that was stopped goes on when the same command is given again. Subjects already in the dataset are kept.
    """

    input: Annotated[Path, tyro.conf.Positional]
    """A video, a photo, a folder of frames or photos, a folder of videos (one subject each), or a text file (.txt) with
    a path on each line."""
    output_dir: Path
    """The dataset's folder; a dataset that is there already is added to."""
    shards: bool = False
    """Write WebDataset shards (see lca-data shard) in place of a dataset folder; they come when all is processed."""
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
    people: Literal["largest", "one", "each"] = "largest"
    """Of several people in a clip: follow the largest, and take the largest again when that one is lost; follow one and
    take nobody else; or make a subject of each."""
    shots: Literal["cut", "whole"] = "cut"
    """cut: every shot of a video with cuts is a subject of its own. whole: take each video for one shot."""
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
    estimators: EstimatorConfig = field(default_factory=EstimatorConfig)
    model_dir: Path | None = None
    """Looked through first for weights; then LCA_MODEL_DIR, then the user's cache, then they are fetched."""
    workers: int = 0
    """Threads of detection for a single input; 0 = one per core, at most 4."""
    jobs: int = 0
    """Videos that are worked on at a time, each on one core; 0 = as many as there are cores."""
    ray: str | None = None
    """Work on a Ray cluster: its address, auto for the one this machine belongs to, or local to start one here. All
    machines must see the same files."""
    time_limit: float | None = None
    """Give up a video after so many seconds (with several jobs)."""
    filters: FilterConfig = field(default_factory=FilterConfig)


def run(config: ProcessConfig, *, told: bool = True) -> None:
    """Make the dataset.

    Args:
        config: what to make of what.
        told: print tables about it at the end.

    Raises:
        UserError: a setting makes no sense, the input or output cannot be used, or nothing could be made of it. What
            could be made of other inputs is written all the same.
    """
    from lca_dataparsers.processing.inputs import check_settings, named_sources
    from lca_dataparsers.processing.run_log import RunLog
    from lca_dataparsers.processing.source_task import open_writer
    from lca_dataparsers.shards.format import is_shards
    from lca_shared.errors import UserError
    from lca_shared.memory import return_large_blocks

    return_large_blocks()  # pictures come and go one by one, what is known of each stays
    check_settings(config)
    sources, unreadable = named_sources(config)
    if config.shards and is_shards(config.output_dir):
        print(f"{config.output_dir} holds whole shards already. Next: lca-data unshard, or ns-train --data it.")
        return
    log = RunLog(config.output_dir)
    writer = open_writer(config)
    writer.remove_leftovers()

    def there(name: str, source: "Source") -> bool:
        subjects = log.subjects_of(source.path) or []
        return writer.has_subject(name) or (bool(subjects) and all(map(writer.has_subject, subjects)))

    todo = {name: source for name, source in sources.items() if config.overwrite or not there(name, source)}
    log.add(unreadable)
    if not todo and not unreadable and not config.shards:
        print(
            f"All {len(sources)} subjects are in {config.output_dir} already (--overwrite makes them anew). "
            f"Next: lca-data inspect {config.output_dir}"
        )
        return
    outcomes = [*unreadable, *_process_all(config, todo, log)]
    report = log.finish()
    made = [outcome for outcome in outcomes if outcome.state == "written"]
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if told:
        _tell(config, made, report, kept=len(sources) - len(todo))
    if not made and not len(sources) > len(todo):
        failed = [outcome for outcome in outcomes if outcome.state != "written"]  # nothing came of the whole run
    if config.shards and (made or len(sources) > len(todo)):
        _write_shards(config)
    if len(failed) == 1 and len(outcomes) == 1:
        raise UserError(failed[0].message)
    if failed:
        listed = " ".join(outcome.message for outcome in failed[:5])
        more = f" ... all are in {log.folder / 'report.json'}" if len(failed) > 5 else ""
        raise UserError(f"{len(failed)} of {len(outcomes)} clips gave no subject: {listed}{more}")


def _process_all(config: ProcessConfig, todo: "dict[str, Source]", log: "RunLog") -> "list[Outcome]":
    """What became of all clips; each input is noted in the log when it is done."""
    from lca_dataparsers.processing.progress import Stages

    outcomes: list[Outcome] = []
    with Stages() as stages:
        several = len(todo) > 1
        results = _in_processes(config, todo) if config.ray or (several and config.jobs != 1) else None
        if results is None:
            results = _in_this_process(config, todo, stages)
            done = None
        else:
            done = stages.bar("videos", len(todo))
        for made in results:
            log.add(made)
            outcomes += made
            for outcome in made:
                for notice in outcome.notices:
                    stages.say(f"{outcome.subject}: {notice}.")
                if outcome.state != "written" and (several or len(made) > 1):
                    stages.say(f"{outcome.subject}: {outcome.message}")
            if done is not None:
                done(1)
    return outcomes


def _in_this_process(config: ProcessConfig, todo: "dict[str, Source]", stages) -> "Iterator[list[Outcome]]":
    from lca_dataparsers.processing.estimators import build_estimator
    from lca_dataparsers.processing.source_task import open_writer, process_source
    from lca_dataparsers.processing.workers import cores

    count = config.workers or min(4, cores())
    estimators = [build_estimator(config.estimators, config.model_dir, head_matrix=False) for _ in range(count)]
    writer = open_writer(config)
    for name, source in todo.items():
        yield process_source(config, name, source, writer, estimators, stages)
    for estimator in estimators:
        estimator.close()


def _in_processes(config: ProcessConfig, todo: "dict[str, Source]") -> "Iterator[list[Outcome]]":
    from lca_dataparsers.processing.estimators import build_estimator
    from lca_dataparsers.processing.outcome import Outcome
    from lca_dataparsers.processing.ray_workers import run_on_ray
    from lca_dataparsers.processing.source_task import process_source_alone
    from lca_dataparsers.processing.workers import Failure, cores, run_isolated

    build_estimator(config.estimators, config.model_dir).close()  # one message, not one a video, if weights are missing
    absolute = replace(config, output_dir=config.output_dir.resolve())
    tasks = {name: (absolute, name, source) for name, source in todo.items()}
    if config.ray:
        results = run_on_ray(process_source_alone, tasks, config.ray, config.jobs)
    else:
        results = run_isolated(process_source_alone, tasks, config.jobs or cores(), config.time_limit)
    for name, result in results:
        if isinstance(result, Failure):
            path = str(todo[name].path)
            yield [Outcome(name, path, "failed", f"{path}: {result.message}.")]
        else:
            yield result


def _write_shards(config: ProcessConfig) -> None:
    import shutil

    from lca_dataparsers.processing.source_task import dataset_root
    from lca_dataparsers.shards import command as shards

    staging = dataset_root(config)
    shards.run(shards.ShardConfig(staging, config.output_dir))
    shutil.rmtree(staging)


def _tell(config: ProcessConfig, made: "list[Outcome]", report: dict, kept: int) -> None:
    from rich.console import Console

    from lca_dataparsers.processing.report import report_table, summary_table
    from lca_dataparsers.processing.source_task import OVERLAY_FOLDER
    from lca_dataparsers.processing.timing import steps_table

    console = Console()
    reports = {outcome.subject: outcome.report for outcome in made if outcome.report is not None}
    if len(reports) == 1:
        subject, only = next(iter(reports.items()))
        console.print(report_table(subject, only))
        console.print(steps_table(only["steps"], only["pictures"]))
    elif reports:
        console.print(summary_table(dict(list(reports.items())[:40])))
    used, read = (sum(one[key] for one in reports.values()) for key in ("used", "pictures"))
    already = f" ({kept} were there already)" if kept else ""
    drawn = f", overlays to {config.output_dir / OVERLAY_FOLDER}" if config.overlay and reports else ""
    if reports:
        following = "" if config.shards else f" Next: lca-data inspect {config.output_dir}"
        print(
            f"Wrote {len(reports)} {'subject' if len(reports) == 1 else 'subjects'}{already} with {used} of {read} "
            f"pictures to {config.output_dir}{drawn}; what was left out is in "
            f"{config.output_dir / 'report.json'}.{following}"
        )
