"""How every kernel of the CPU rasterizer is compiled."""

import inspect
from collections.abc import Callable

import numba


def kernel(parallel: bool = False, nogil: bool = False) -> Callable[[Callable], Callable]:
    """``numba.njit`` with a cache on disk, also under the import hook that checks annotations.

    The hook wraps every function of the package, and Numba cannot compile the wrapper. ``nogil``: other threads of
    Python run meanwhile.
    """

    def compiled(function: Callable) -> Callable:
        return numba.njit(inspect.unwrap(function), parallel=parallel, nogil=nogil, cache=True, error_model="numpy")

    return compiled
