"""Keeps a process that reads many pictures from growing with everything it has read."""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
"""glibc's malloc.h"""


def return_large_blocks(threshold_bytes: int = 4 * 2**20) -> bool:
    """Let blocks of ``threshold_bytes`` and more go back to the system as soon as they are freed.

    glibc raises this threshold by itself to the largest block freed so far. Decoded pictures then come from the common
    heap, where the small crops that are kept keep whole freed pictures from being given back: training on 300 pictures
    of 720 x 1280 grew to 4.9 GB, of which 4 GB were unused.

    Returns:
        Whether it took effect: False where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, threshold_bytes) == 1
