"""Intervals by resampling users: how far a mean, or a difference within users, may be luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
RESAMPLES = 1_000
CONFIDENCE = 0.95
_BLOCK = 50


@dataclass(frozen=True)
class Interval:
    """A mean and the 95 % interval of it."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: Values, *, seed: int = 0, confidence: float = CONFIDENCE) -> Interval:
    """Percentile bootstrap (Efron and Tibshirani 1993) of the mean over users; nobody gives zeros."""
    if not len(values):
        return Interval(0.0, 0.0, 0.0)
    draw = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[draw.integers(0, len(values), (min(_BLOCK, RESAMPLES - start), len(values)))].mean(axis=1)
            for start in range(0, RESAMPLES, _BLOCK)
        ]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def paired_interval(ours: Values, theirs: Values, *, seed: int = 0, confidence: float = CONFIDENCE) -> Interval:
    """The interval of ours - theirs, both of the same users in the same order.

    Raises:
        ValueError: not the same users.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} people against {len(theirs)}: compare the same people")
    return bootstrap_interval(ours - theirs, seed=seed, confidence=confidence)
