"""Detectors that find people in pictures: one small protocol for each kind, and all of them together."""

from lca_dataparsers.processing.estimators.protocol import PersonDetails, PersonEstimator, Sighting
from lca_dataparsers.processing.estimators.registry import KINDS, build_estimator

__all__ = ["KINDS", "PersonDetails", "PersonEstimator", "Sighting", "build_estimator"]
