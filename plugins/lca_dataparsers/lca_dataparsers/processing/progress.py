"""The progress bar of processing: one line per stage, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Stages:
    """Shows the stages of a run. Use as a context manager.

    Args:
        visible: whether bars are drawn.
    """

    def __init__(self, visible: bool = True) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not visible,
        )

    def __enter__(self) -> "Stages":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def bar(self, description: str, total: int) -> Callable[[int], None]:
        """A bar that stays, moved by calling what is returned."""
        task = self._progress.add_task(description, total=total)
        return lambda steps: self._progress.advance(task, steps)

    @contextmanager
    def stage(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar that the block moves by calling what it is given with the number of steps done."""
        task = self._progress.add_task(description, total=total)

        def advance(steps: int) -> None:
            self._progress.advance(task, steps)

        yield advance
        done = self._progress.tasks[self._progress.task_ids.index(task)].completed
        self._progress.update(task, total=max(done, 1), completed=max(done, 1))
