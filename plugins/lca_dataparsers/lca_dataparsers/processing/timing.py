"""Where the time of processing goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

WHOLE_STEPS = ("detect", "fit", "write")
"""Steps that follow each other; all other names are parts of ``detect``, which run side by side on several threads."""


class StepTimes:
    """Seconds by name. Each instance belongs to one thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor: dict[str, float] = {}
        """Of the whole process, all its threads, while a step went on: right for steps that follow each other."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to ``name``."""
        start, before = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)
            self.processor[name] = self.processor.get(name, 0.0) + time.process_time() - before

    def add(self, name: str, seconds: float) -> None:
        """Add to ``name``."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@runtime_checkable
class Timed(Protocol):
    """Something that keeps the times of its parts."""

    times: StepTimes


def gathered_times(parts: Iterable[object]) -> dict[str, float]:
    """Seconds by name, summed over those of ``parts`` that keep them."""
    total = StepTimes()
    for part in parts:
        if isinstance(part, Timed):
            for name, seconds in part.times.seconds.items():
                total.add(name, seconds)
    return total.seconds


def steps_table(steps: dict[str, float], pictures: int) -> Any:
    """A rich table: pictures a second of each step. ``steps``: seconds by name."""
    from rich.table import Table

    table = Table(title="time by step")
    for name in ("step", "seconds", "pictures a second", "ms a picture"):
        table.add_column(name, justify="left" if name == "step" else "right")
    parts = [name for name in steps if name not in WHOLE_STEPS]
    order = [name for name in WHOLE_STEPS if name in steps]
    rows = [*order[:1], *parts, *order[1:]]
    for name in rows:
        seconds = steps[name]
        label = f"  {name}, on one thread" if name in parts else name
        rate = f"{pictures / seconds:.1f}" if seconds > 0 else "-"
        table.add_row(label, f"{seconds:.1f}", rate, f"{1e3 * seconds / max(1, pictures):.1f}")
    total = sum(steps[name] for name in order)
    table.add_row("all", f"{total:.1f}", f"{pictures / max(total, 1e-6):.1f}", f"{1e3 * total / max(1, pictures):.1f}")
    return table
