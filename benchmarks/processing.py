"""What making training data of videos costs: ``python -m benchmarks.processing VIDEO [VIDEO ...]``.

Each video is processed by a process of its own, on one core and on two; the last is written as shards and read back.
Printed: pictures a second of each step, by the clock and by the processor's time (where others use the machine, only
the second tells what a quiet one would do); pictures a second that one core reads from shards; and from that what
``--videos`` of ``--seconds`` each would take.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY)]
STEPS, PARTS = ("detect", "fit", "write"), ("bodies", "face", "hands", "mask")
READ_ROWS = 200


@dataclass(frozen=True)
class Config:
    """What to measure."""

    clips: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Videos of one shot each, or of several."""
    cores: tuple[int, ...] = (1, 2)
    """How many cores a video may use."""
    max_frames: int | None = None
    """Of each video."""
    videos: int = 1_000_000
    """Of the plan."""
    seconds: float = 10.0
    """Of each video in the plan."""
    rate: float = 30.0
    """Pictures a second that are used, in the plan."""


@dataclass(frozen=True)
class Run:
    """One video on some cores."""

    clip: str
    cores: int
    pictures: int
    """Read, of all its subjects."""
    used: int
    video_seconds: float
    wall: float
    """Seconds by the clock, start-up included."""
    processor: float
    """Seconds of the processor, start-up included."""
    steps: dict[str, float]
    """Seconds by the clock of each step; of parts of detection, summed over threads."""
    worked: dict[str, float]
    """Seconds of the processor of each step."""
    memory: int
    """Peak, MB."""
    stored: int
    """Bytes of the subjects."""


def processed(clip: Path, cores: int, folder: Path, most: int | None) -> Run:
    """Run ``lca-data process`` once.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "lca_dataparsers.cli", "process", str(clip), "--output-dir", str(folder)]
    command += ["--workers", str(cores), *(["--max-frames", str(most)] if most else [])]
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    if len(allowed) < cores:
        raise SystemExit(f"{cores} cores are asked for, and there are {len(allowed)}.")
    settings = os.environ | {"OMP_NUM_THREADS": str(cores), "NUMBA_NUM_THREADS": str(cores)}
    before, start = _children(), time.perf_counter()
    with_cores = ["taskset", "-c", ",".join(map(str, allowed)), *command]
    subprocess.run(with_cores, check=True, capture_output=True, env=settings)
    wall, processor = time.perf_counter() - start, _children() - before
    rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
    reports = [row["report"] for row in rows if row["report"]]
    pictures = sum(report["pictures"] for report in reports)
    return Run(
        clip.stem,
        cores,
        pictures,
        sum(report["used"] for report in reports),
        pictures / _rate(clip),
        wall,
        processor,
        {step: sum(report["steps"].get(step, 0.0) for report in reports) for step in (*STEPS, *PARTS)},
        {step: sum(report["processor_seconds"][step] for report in reports) for step in STEPS},
        max(report["peak_memory_mb"] for report in reports),
        sum(path.stat().st_size for path in (folder / "subjects").rglob("*") if path.is_file()),
    )


def startup() -> float:
    """Seconds of the processor that the command takes before the first picture: loading libraries and detectors."""
    code = (
        "import lca_dataparsers.processing.source_task, lca_dataparsers.processing.estimators as e;"
        "e.build_estimator(head_matrix=False).close()"
    )
    before = _children()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return _children() - before


def shard_reading(dataset: Path, folder: Path) -> tuple[float, int, int]:
    """Pictures a second (with masks, decoded) that one core reads at random, their number, and the shards' bytes."""
    from lca_dataparsers.shards.command import ShardConfig
    from lca_dataparsers.shards.reader import ShardedDataset
    from lca_dataparsers.shards.writing import write_shards

    info, _ = write_shards(ShardConfig(dataset, folder))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shards, rows = ShardedDataset.open(folder), []
    for group in ("train", "val", "test"):
        for name in shards.people(group, -1):
            rows += [(shards.subjects[name], row) for row in range(len(shards.subjects[name]))]
    chosen = [rows[k] for k in np.random.default_rng(0).integers(0, len(rows), READ_ROWS)]
    chosen[0][0].load(chosen[0][1])  # what is loaded late is loaded
    start = time.process_time()
    for subject, row in chosen:
        subject.load(row)
    return READ_ROWS / (time.process_time() - start), sum(group.rows for group in info.groups.values()), size


def table(runs: list[Run]) -> str:
    """The figures as Markdown, one column a run."""
    columns = [f"{run.clip}, {run.cores} core{'s' if run.cores > 1 else ''}" for run in runs]
    rows: list[tuple[str, list[str]]] = [
        ("pictures read / used", [f"{run.pictures} / {run.used}" for run in runs]),
        *[
            (f"{step}, pictures a second by the clock", [f"{run.pictures / run.steps[step]:.1f}" for run in runs])
            for step in STEPS
        ],
        ("all three, pictures a second by the clock", [f"{run.pictures / _sum(run.steps):.1f}" for run in runs]),
        *[
            (f"{step}, pictures a second of a processor", [f"{run.pictures / run.worked[step]:.1f}" for run in runs])
            for step in STEPS
        ],
        ("all three, pictures a second of a processor", [f"{run.pictures / _sum(run.worked):.1f}" for run in runs]),
        ("share of detection: " + ", ".join(PARTS), [_shares(run) for run in runs]),
        ("seconds by the clock, with start-up", [f"{run.wall:.0f}" for run in runs]),
        ("seconds of the processor, with start-up", [f"{run.processor:.0f}" for run in runs]),
        ("peak memory, MB", [str(run.memory) for run in runs]),
        ("kB a picture on disk", [f"{run.stored / max(run.used, 1) / 1e3:.0f}" for run in runs]),
    ]
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    return "\n".join(lines + [f"| {name} | " + " | ".join(values) + " |" for name, values in rows])


def plan(config: Config, runs: list[Run], shard_bytes: float) -> str:
    """What many videos take, from the runs on one core (or on the fewest there were)."""
    fewest = [run for run in runs if run.cores == min(config.cores)]
    pictures = sum(run.pictures for run in fewest)
    seconds = sum(_sum(run.worked) for run in fewest) / pictures
    share = sum(run.used for run in fewest) / pictures
    wanted = config.videos * config.seconds * config.rate
    used = wanted * share
    return (
        f"{config.videos:,} videos of {config.seconds:g} s at {config.rate:g} pictures a second: {wanted:,.0f} "
        f"pictures, {used:,.0f} used; {wanted * seconds / 3600:,.0f} core-hours ({seconds * 1e3:.0f} ms a picture); "
        f"{used * shard_bytes / 1e12:,.0f} TB of shards; {used * shard_bytes / 2**28:,.0f} shards of 256 MiB."
    )


def _sum(steps: dict[str, float]) -> float:
    return sum(steps[step] for step in STEPS)


def _shares(run: Run) -> str:
    whole = sum(run.steps[part] for part in PARTS)
    return ", ".join(f"{100 * run.steps[part] / whole:.0f} %" for part in PARTS)


def _rate(clip: Path) -> float:
    from lca_dataparsers.processing.decode import open_source

    return open_source(clip).rate or 30.0


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(config: Config) -> None:
    """Print the tables."""
    from benchmarks.machine import describe

    with tempfile.TemporaryDirectory() as place:
        start = startup()
        runs, last = [], None
        for clip in config.clips:
            for cores in config.cores:
                last = Path(place) / f"{clip.stem}_{cores}"
                runs.append(processed(clip, cores, last, config.max_frames))
        assert last is not None
        rate, count, size = shard_reading(last, Path(place) / "shards")
    print(f"lca-data process — {describe()}; load of the machine: {os.getloadavg()[0]:.1f}")
    print(f"start-up: {start:.1f} s of the processor, once for each process\n")
    print(table(runs))
    print(
        f"\nshards of the last: {count} pictures, {size / count / 1e3:.0f} kB each; one core reads {rate:.0f} a second"
    )
    print(plan(config, runs, size / count))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
