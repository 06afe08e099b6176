"""Clicks per page of a target policy, from a log: SNIPS and doubly robust estimates with intervals.

With pages p, positions k, clicks r, weights w = target / logged propensity of the shown items, and q of a model:

    SNIPS = sum_k (pages with place k / pages) * (sum_p w r / sum_p w)          Swaminathan and Joachims, NIPS 2015
    DR    = mean_p sum_k (sum_i its chance(i, k) q(i, k)  +  w (r - q))         Dudik, Langford and Li, ICML 2011

SNIPS is consistent when all propensities are known; its normaliser removes the variance of the weights alone.
DR is unbiased when the propensities are known or the model is right. Intervals resample users (a percentile bootstrap
of clusters): pages of one user depend on each other. The effective sample size is Kish's, (sum w)^2 / sum w^2, place by
place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy import click_model
from recommendations.algorithms.offpolicy.log import Log

RESAMPLES = 1_000
CONFIDENCE = 0.95
_BLOCK = 50
Grid = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap of the target policy with the log. Positions are weighted by their clicks.

    Attributes:
        effective, effective_clicks: the effective sample size in pages and clicks.
        unsupported: the share of the target policy that the logged one could not have shown.
        largest_weight: the largest importance weight.
    """

    pages: int
    people: int
    clicks: int
    effective: float
    effective_clicks: float
    unsupported: float
    largest_weight: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """Clicks per page: logged, both estimates, and their differences to the logged value."""

    logged: Interval
    snips: Interval
    doubly_robust: Interval
    snips_change: Interval
    doubly_robust_change: Interval


def measure_overlap(log: Log) -> Overlap:
    """Return the overlap of a log with the target policy."""
    page_weights = log.page_weights[:, None]
    by_place, clicks = log.present.sum(axis=0), log.clicked.sum(axis=0)
    attention = (clicks + 1) / (clicks + 1).sum()
    weights = log.weights * page_weights
    squares = (weights**2).sum(axis=0)
    effective = np.divide(weights.sum(axis=0) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)
    unsupported = (log.unsupported * page_weights).sum(axis=0) / np.maximum(
        1e-9, (log.present * page_weights).sum(axis=0)
    )
    return Overlap(
        pages=len(log),
        people=len(np.unique(log.users)),
        clicks=int(clicks.sum()),
        effective=float(attention @ effective),
        effective_clicks=float((clicks / np.maximum(1, by_place)) @ effective),
        unsupported=float(attention @ unsupported),
        largest_weight=float(log.weights.max(initial=0.0)),
    )


def estimate(log: Log, *, seed: int = 0) -> Estimates:
    """Return both estimates; the log has one page or more."""
    shown, expected = click_model.predictions(log, seed=seed)
    residual = (log.weights * (log.clicked - shown)).sum(axis=1)
    by_page = [np.ones(len(log)), log.clicked.sum(axis=1), expected + residual]
    columns = np.column_stack([*by_page, log.present, log.weights * log.clicked, log.weights])
    columns *= log.page_weights[:, None]
    users = int(log.users.max()) + 1
    sums = np.zeros((users, columns.shape[1]))
    np.add.at(sums, log.users, columns)
    values = _values(sums.sum(axis=0)[None])[0]
    resampled = _resampled(sums, seed)
    intervals = [_interval(value, resampled[:, place]) for place, value in enumerate(values)]
    return Estimates(*intervals)


def _values(totals: Grid) -> Grid:
    """Return logged, SNIPS, DR, and the differences of the latter two to the first, for each row of sums."""
    pages, clicks, robust = totals[:, 0], totals[:, 1], totals[:, 2]
    depth = (totals.shape[1] - 3) // 3
    present, clicks_weighted, weights = (totals[:, 3 + part * depth : 3 + (part + 1) * depth] for part in range(3))
    rate = np.divide(clicks_weighted, weights, out=np.zeros_like(clicks_weighted), where=weights > 0)
    logged, snips, robust = clicks / pages, (present * rate).sum(axis=1) / pages, robust / pages
    return np.column_stack([logged, snips, robust, snips - logged, robust - logged])


def _resampled(sums: Grid, seed: int) -> Grid:
    draw, users = np.random.default_rng(seed), len(sums)
    blocks = [
        _values(draw.multinomial(users, np.full(users, 1 / users), size=min(_BLOCK, RESAMPLES - start)) @ sums)
        for start in range(0, RESAMPLES, _BLOCK)
    ]
    return np.concatenate(blocks)


def _interval(value: float, resampled: Grid) -> Interval:
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(value), float(low), float(high))
