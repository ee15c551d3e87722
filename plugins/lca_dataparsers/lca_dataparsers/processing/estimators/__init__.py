"""Detectors that find people in pictures, behind one protocol."""

from lca_dataparsers.processing.estimators.protocol import PersonDetails, PersonEstimator, Sighting
from lca_dataparsers.processing.estimators.registry import ESTIMATORS, build_estimator

__all__ = ["ESTIMATORS", "PersonDetails", "PersonEstimator", "Sighting", "build_estimator"]
