"""How sure a mean over people is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean and the interval that resampling people says it lies in."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: Sequence[float], samples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Percentile bootstrap of a mean; people are resampled, for pictures of one person are not independent.

    Args:
        values: one number a person; NaN = this person had nothing to measure and is left out.
        samples: resampled means.
        confidence: share of them inside the interval.
        seed: of the resampling.

    Returns:
        None if nobody had anything to measure. The order of ``values`` does not matter.
    """
    known = np.sort(np.asarray([value for value in values if not np.isnan(value)], dtype=np.float64))
    if not len(known):
        return None
    drawn = np.random.default_rng(seed).integers(0, len(known), (samples, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(known.mean()), float(low), float(high))
