"""Parts of a fit that know nothing of each other, one per core."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part, Result = TypeVar("Part"), TypeVar("Result")


def side_by_side(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """``work`` of every part, in order, on as many threads as this one may use.

    Each runs its tensor operations on one thread: operations of a fit are too small to be split well. The results do
    not depend on the number of threads.
    """
    allowed = min(torch.get_num_threads(), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    count = min(allowed, len(parts))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if count < 2:
            return [work(part) for part in parts]
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, parts))
    finally:
        torch.set_num_threads(before)
