"""The click model of the doubly robust estimator, fitted to the log by position, rank and item.

    q(item, position) = rate(position) * fit(stretch of the base list) * appeal(item)

Each factor is the ratio of clicks to those that the factors before it expect, shrunk towards 1 by PRIOR expected clicks
(a gamma prior). The estimate is unbiased whatever the model; a better one narrows the interval. Cross-fitted:
no user's clicks are predicted by a model that was fitted to them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy.log import UNLISTED, Log

FOLDS = 5
PRIOR = 5.0
Grid = NDArray[np.float64]


def predictions(log: Log, *, seed: int) -> tuple[Grid, Grid]:
    """Return predicted clicks of the shown items (pages x positions), and of the target policy's page (pages,)."""
    shown, expected = np.zeros(log.present.shape), np.zeros(len(log))
    users = int(log.users.max(initial=-1)) + 1
    folds = np.random.default_rng(seed).permutation(np.arange(users) % FOLDS)[log.users]
    for fold in range(FOLDS):
        own = np.flatnonzero(folds == fold)
        if not len(own):
            continue
        rate, fit, appeal = _factors(log, np.flatnonzero(folds != fold))
        shown[own] = rate * fit[log.stretches[own]] * appeal[log.items[own]] * log.present[own]
        for page in own:
            items, stretches, chances = log.targets[page]
            expected[page] = (appeal[items] * fit[stretches]) @ (chances @ rate[: chances.shape[1]])
    return shown, expected


def _factors(log: Log, pages: NDArray[np.int64]) -> tuple[Grid, Grid, Grid]:
    present, clicked = log.present[pages], log.clicked[pages]
    rate = clicked.sum(axis=0) / np.maximum(1, present.sum(axis=0))
    cells = np.flatnonzero(present.ravel())
    clicks, expected = clicked.ravel()[cells], np.broadcast_to(rate, present.shape).ravel()[cells]
    stretches, items = log.stretches[pages].ravel()[cells], log.items[pages].ravel()[cells]
    fit = _ratio(stretches, clicks, expected, UNLISTED + 1)
    appeal = _ratio(items, clicks, expected * fit[stretches], log.item_count)
    return rate, fit, appeal


def _ratio(groups: NDArray[np.int64], clicks: Grid, expected: Grid, count: int) -> Grid:
    seen = np.bincount(groups, weights=clicks, minlength=count)
    meant = np.bincount(groups, weights=expected, minlength=count)
    return np.asarray((seen + PRIOR) / (meant + PRIOR))
