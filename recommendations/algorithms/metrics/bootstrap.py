"""Bootstrap intervals over users, of a mean or of a difference within users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
RESAMPLES = 1_000
CONFIDENCE = 0.95
# Resamples in memory at once.
_BATCH = 50


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: Values, *, seed: int = 0, confidence: float = CONFIDENCE) -> Interval:
    """Return the percentile bootstrap (Efron and Tibshirani 1993) of the mean; zeros without values."""
    if not len(values):
        return Interval(0.0, 0.0, 0.0)
    mean = float(values.mean())
    if len(values) == 1:  # scipy refuses to resample it
        return Interval(mean, mean, mean)
    low, high = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=_BATCH,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(low), float(high))


def paired_interval(ours: Values, theirs: Values, *, seed: int = 0, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of the mean of ours - theirs, both of the same users in the same order.

    Raises:
        ValueError: the lengths differ.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} users against {len(theirs)}: compare the same users")
    return bootstrap_interval(ours - theirs, seed=seed, confidence=confidence)
