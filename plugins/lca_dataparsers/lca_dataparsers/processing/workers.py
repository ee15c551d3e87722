"""Tasks on several processes, each task apart from the others: one that crashes or hangs takes nobody with it."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any


@dataclass(frozen=True)
class Failure:
    """A task that gave no result."""

    message: str


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_isolated(
    work: Callable[..., Any], tasks: Mapping[str, tuple], jobs: int, limit: float | None = None
) -> Iterator[tuple[str, Any]]:
    """``work(*arguments)`` of every task, on ``jobs`` processes, as they finish.

    Args:
        work: a function that can be found by its name.
        tasks: arguments by name.
        jobs: how many at a time.
        limit: seconds after which a task is given up.

    Yields:
        Name and result, or a :class:`Failure` if the task raised, its process died or it took too long.
    """
    waiting = list(tasks.items())[::-1]
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.task is not None for worker in workers):
            while len(workers) < min(jobs, len(tasks)) and waiting:
                workers.append(_Worker(work))
            for worker in workers:
                if worker.task is None and waiting:
                    worker.start(*waiting.pop())
            busy = [worker for worker in workers if worker.task is not None]
            wait([worker.connection for worker in busy], timeout=1.0)
            for worker in busy:
                done = worker.result(limit)
                if done is not None:
                    yield done
                if not worker.alive:
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    def __init__(self, work: Callable[..., Any]) -> None:
        # a fresh interpreter: threads of the parent's libraries do not survive a fork
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(work, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.task: str | None = None
        self.alive = True
        self._begun = 0.0

    def start(self, name: str, arguments: tuple) -> None:
        """Hand over a task."""
        self.task, self._begun = name, time.monotonic()
        try:
            self.connection.send(arguments)
        except OSError:  # it died before: result() says so
            pass

    def result(self, limit: float | None) -> tuple[str, Any] | None:
        """Name and result if the task is finished, one way or the other."""
        assert self.task is not None
        name = self.task
        try:
            if self.connection.poll():
                answer = self.connection.recv()
                self.task = None
                return name, answer
        except (EOFError, OSError):
            self._process.join()
            self.stop()
            return name, Failure(f"the process that worked on it died (exit code {self._process.exitcode})")
        if limit is not None and time.monotonic() - self._begun > limit:
            self.stop()
            return name, Failure(f"it took longer than {limit:g} s")
        return None

    def stop(self) -> None:
        """End the process."""
        self.task, self.alive = None, False
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(work: Callable[..., Any], connection: Connection) -> None:
    while True:
        try:
            arguments = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            answer = work(*arguments)
        except KeyboardInterrupt:
            return
        except Exception as error:  # told by the parent; the other tasks go on
            answer = Failure(f"{type(error).__name__}: {error}")
        connection.send(answer)
