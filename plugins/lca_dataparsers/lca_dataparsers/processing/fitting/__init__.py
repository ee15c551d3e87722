"""The body fit: observations of a clip in, one shape, a pose per frame and a camera out."""

from typing import TYPE_CHECKING

from lca_dataparsers.processing.fitting.config import FitConfig, TermWeights

if TYPE_CHECKING:
    from lca_dataparsers.processing.fitting.clip import fit_clip
    from lca_dataparsers.processing.fitting.quality import measure_fit
    from lca_dataparsers.processing.fitting.result import ClipFit, FitQuality

__all__ = ["ClipFit", "FitConfig", "FitQuality", "TermWeights", "fit_clip", "measure_fit"]

_LATE = {"fit_clip": "clip", "measure_fit": "quality", "ClipFit": "result", "FitQuality": "result"}


def __getattr__(name: str) -> object:
    """Load what needs torch when it is first used: a command line that only shows its help must not wait for it."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
