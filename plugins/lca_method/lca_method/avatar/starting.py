"""A process that starts quickly."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Without Python's search for reference cycles, a good part of the time in which torch and Numba are imported; what
    was made meanwhile is left out of later searches."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # libraries that count what is left at the end shall find nothing
        if searched:
            gc.enable()
