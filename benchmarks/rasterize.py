"""Time and memory of the rasterizer's backends on a figure of Gaussians: ``python benchmarks/rasterize.py``.

Backends take turns within one run, so that their ratios hold when the machine's speed drifts. Times are the least of
several runs, projection included. Memory is what the process's peak grew by in one forward and backward pass (on a GPU:
what torch allocated at most); it is left open where the system does not tell (Linux does).
"""

import json
import multiprocessing
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import torch
import tyro
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "support")]

from figures import capsule_figure, ring  # noqa: E402

from benchmarks.machine import describe  # noqa: E402
from lca_shared.gaussians import Gaussians  # noqa: E402
from lca_shared.rendering import Backend, rasterize  # noqa: E402

SCENES = ((2_000, 128), (10_000, 256), (40_000, 512), (65_536, 512))
"""(Gaussians, picture side in pixels)."""


@dataclass(frozen=True)
class Config:
    """What to measure."""

    runs: int = 7
    """Timed runs per backend and scene; the least is printed."""
    threads: int = 2
    """Threads of torch and Numba."""
    clock: Literal["wall", "processor"] = "wall"
    """processor: time computed, not time passed, for a machine that others use too (with one thread, and no GPU)."""
    json: Path | None = None
    """Also write the rows here."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    gaussians: int
    side: int
    backend: str
    forward_ms: float
    backward_ms: float
    memory_mb: float | None


class Subject:
    """A scene that a backend renders forward and backward."""

    def __init__(self, count: int, side: int, backend: Backend, clock: str = "wall") -> None:
        device = "cuda" if backend == "gsplat" else "cpu"
        figure = capsule_figure(count, side).to(device)
        self.gaussians = Gaussians(**{f.name: getattr(figure, f.name).requires_grad_() for f in fields(figure)})
        self.cameras, self.device = ring(1, side).to(device), device
        self.backend: Backend = backend
        self.clock = time.perf_counter if clock == "wall" else time.process_time

    def run(self) -> tuple[float, float]:
        """Seconds of the forward and of the backward pass."""
        start = self._now()
        rendering = rasterize(self.gaussians, self.cameras, backend=self.backend)
        middle = self._now()
        (rendering.colors.sum() + rendering.alpha.sum()).backward()
        return middle - start, self._now() - middle

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return self.clock()


def peak_memory(count: int, side: int, backend: Backend, threads: int) -> float | None:
    """Megabytes that rendering adds; in a process of its own, where nothing freed earlier is used again."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_in_this_process, (count, side, backend, threads))


def _peak_in_this_process(count: int, side: int, backend: Backend, threads: int) -> float | None:
    torch.set_num_threads(threads)
    Subject(200, 32, backend).run()  # compiled code and libraries do not count
    subject = Subject(count, side, backend)
    if backend == "gsplat":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        subject.run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = _restarted_peak()
    subject.run()
    after = _status("VmHWM")
    return None if before is None or after is None else (after - before) / 2**10


def _status(name: str) -> int | None:
    """Kilobytes, as Linux tells. (``getrusage`` will not do: a child's peak begins at its parent's.)"""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except FileNotFoundError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(name + ":")), None)


def _restarted_peak() -> int | None:
    """Let the process's peak begin again at what it uses now, and say what that is in kilobytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def measure(config: Config) -> list[Row]:
    """All rows; backends in turn."""
    torch.set_num_threads(config.threads)
    backends: list[Backend] = ["numba", "torch", *(["gsplat"] if torch.cuda.is_available() else [])]
    rows = []
    for count, side in SCENES:
        subjects = {backend: Subject(count, side, backend, config.clock) for backend in backends}
        for subject in subjects.values():
            subject.run()
        times = [{backend: subject.run() for backend, subject in subjects.items()} for _ in range(config.runs)]
        for backend in backends:
            forward, backward = (min(turn[backend][i] for turn in times) * 1e3 for i in range(2))
            memory = peak_memory(count, side, backend, config.threads)
            rows.append(Row(count, side, backend, forward, backward, memory))
    return rows


def main(config: Config) -> None:
    if config.clock == "processor" and torch.cuda.is_available():
        raise SystemExit("Processor time says nothing about a GPU: leave --clock at wall.")
    rows = measure(config)
    table = Table(title=f"Rasterizer, float32, {config.clock} time, {config.threads} threads — {describe()}")
    for column in ("Gaussians", "picture", "backend", "forward ms", "backward ms", "both, x Numba", "extra MB"):
        table.add_column(column, justify="left" if column == "backend" else "right")
    for row in rows:
        numba = next(r for r in rows if (r.gaussians, r.backend) == (row.gaussians, "numba"))
        ratio = (row.forward_ms + row.backward_ms) / (numba.forward_ms + numba.backward_ms)
        memory = "—" if row.memory_mb is None else f"{row.memory_mb:.0f}"
        numbers = (f"{row.forward_ms:.1f}", f"{row.backward_ms:.1f}", f"{ratio:.2f}", memory)
        table.add_row(f"{row.gaussians:,}", f"{row.side}²", row.backend, *numbers)
    Console(width=120).print(table)
    if config.json:
        content = {"machine": describe(), "clock": config.clock, "threads": config.threads}
        config.json.write_text(json.dumps({**content, "rows": [asdict(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
