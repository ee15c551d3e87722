"""The body fit: observations of a clip in, one shape, a pose per frame and a camera out."""

from lca_dataparsers.processing.fitting.clip import fit_clip
from lca_dataparsers.processing.fitting.config import FitConfig, TermWeights
from lca_dataparsers.processing.fitting.quality import measure_fit
from lca_dataparsers.processing.fitting.result import ClipFit, FitQuality

__all__ = ["ClipFit", "FitConfig", "FitQuality", "TermWeights", "fit_clip", "measure_fit"]
