"""Batches made ahead of time in background threads."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class StepPrefetcher(Generic[Batch]):
    """Makes the batches of the next steps while the current one is used.

    Decoding and resampling release Python's global lock, so threads are enough. A batch is a pure function of its
    step: the order in which threads finish changes nothing.
    """

    def __init__(self, make: Callable[[int], Batch], ahead: int, workers: int) -> None:
        self._make, self._ahead = make, ahead
        self._pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="lca-prefetch") if ahead > 0 else None
        self._pending: dict[int, Future[Batch]] = {}

    def get(self, step: int) -> Batch:
        """The batch of ``step``; raises whatever making it raised."""
        if self._pool is None:
            return self._make(step)
        wanted = range(step, step + self._ahead + 1)
        for other in [s for s in self._pending if s not in wanted]:
            self._pending.pop(other).cancel()
        for other in wanted:
            if other not in self._pending:
                self._pending[other] = self._pool.submit(self._make, other)
        return self._pending.pop(step).result()

    def close(self) -> None:
        """Stop the threads; batches not yet begun are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
