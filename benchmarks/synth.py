"""Pictures a second of ``lca-data synth``: ``python benchmarks/synth.py``.

Runs the command as a user does and measures by the clock, start-up included. The rate without start-up compares two
runs of different length. The processor's seconds of the command and all its processes, shared out over the workers, say
what a machine that does nothing else would take; both figures agree on one.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY)]


@dataclass(frozen=True)
class Config:
    """What to measure: subjects x frames pictures, and half as many for the rate without start-up."""

    subjects: int = 8
    frames: int = 16
    size: int = 256
    workers: int = 2
    garment: Literal["skirt", "dress", "coat"] | None = None
    """With a loose garment that is simulated."""


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    pictures: int
    seconds: float
    """By the clock."""
    processor: float
    """Of the processor, the command's and its children's."""


def run(subjects: int, frames: int, size: int, workers: int, garment: str | None = None) -> Run:
    """Run ``lca-data synth`` once in a new folder.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lca_dataparsers.cli", "synth", "--output-dir", f"{folder}/people"]
        for name, value in (("subjects", subjects), ("frames", frames), ("size", size), ("workers", workers)):
            command += [f"--{name}", str(value)]
        command += ["--garment", garment] if garment else []
        before, start = _children(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds, processor = time.perf_counter() - start, _children() - before
        pictures = len(list(Path(folder).glob("people/subjects/*/images/*")))
    return Run(pictures, seconds, processor)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(config: Config) -> None:
    from benchmarks.machine import describe

    half = run(max(config.subjects // 2, config.workers), config.frames, config.size, config.workers, config.garment)
    whole = run(config.subjects, config.frames, config.size, config.workers, config.garment)
    cached = "not " if sys.dont_write_bytecode else ""
    worn = f" --garment {config.garment}" if config.garment else ""
    print(
        f"lca-data synth{worn}, {config.workers} workers — {describe()}; Python's bytecode is {cached}kept between runs"
    )
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    print(f"{whole.pictures} pictures of {config.size}²: {whole.seconds:.1f} s, {whole.processor:.1f} s of processor")
    print(f"  {whole.pictures / whole.seconds:.1f} a second by the clock, start-up included")
    print(f"  {whole.pictures / whole.processor * config.workers:.1f} a second by the processor's time, the same")
    more, took = whole.pictures - half.pictures, whole.seconds - half.seconds
    used = (whole.processor - half.processor) / config.workers
    print(f"  {more / took:.1f} a second by the clock, {more / used:.1f} by the processor's time, without start-up")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
