"""Estimators by name. Modules are imported when asked for."""

from collections.abc import Callable
from pathlib import Path

from lca_dataparsers.processing.estimators.protocol import PersonEstimator
from lca_shared.errors import UserError


def _mediapipe(model_dir: Path | None) -> PersonEstimator:
    from lca_dataparsers.processing.estimators.mediapipe_chain import MediaPipeEstimator

    return MediaPipeEstimator(model_dir)


ESTIMATORS: dict[str, Callable[[Path | None], PersonEstimator]] = {"mediapipe": _mediapipe}
"""What builds each estimator from the folder of its weights."""


def build_estimator(name: str, model_dir: Path | None = None) -> PersonEstimator:
    """An estimator with its weights.

    Raises:
        UserError: no such estimator.
        MissingWeightsError: its weights are neither on disk nor fetchable.
    """
    if name not in ESTIMATORS:
        raise UserError(f"There is no estimator {name!r}. Choose one of: {', '.join(ESTIMATORS)}.")
    return ESTIMATORS[name](model_dir)
