"""The model of clicks that doubly robust estimates lean on, learnt from the log: by place, fit and item.

    q(item, place) = rate(place) * fit(stretch of the list that it comes from) * appeal(item)

each factor the clicks over those that the factors before it expect, drawn towards 1 by PRIOR expected clicks (as with a
gamma prior). However wrong the model, the estimate stays right; the better, the narrower its interval. Users are
folded, and nobody's clicks are predicted by a model that knows them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy.log import UNLISTED, Log

FOLDS = 5
PRIOR = 5.0
Grid = NDArray[np.float64]


def predictions(log: Log, *, seed: int) -> tuple[Grid, Grid]:
    """Of what was shown (pages by places), and the clicks that the other law's page would get (by page)."""
    shown, expected = np.zeros(log.there.shape), np.zeros(len(log))
    users = int(log.people.max(initial=-1)) + 1
    folds = np.random.default_rng(seed).permutation(np.arange(users) % FOLDS)[log.people]
    for fold in range(FOLDS):
        own = np.flatnonzero(folds == fold)
        if not len(own):
            continue
        rate, fit, appeal = _factors(log, np.flatnonzero(folds != fold))
        shown[own] = rate * fit[log.stretches[own]] * appeal[log.items[own]] * log.there[own]
        for page in own:
            items, stretches, chances = log.targets[page]
            expected[page] = (appeal[items] * fit[stretches]) @ (chances @ rate[: chances.shape[1]])
    return shown, expected


def _factors(log: Log, pages: NDArray[np.int64]) -> tuple[Grid, Grid, Grid]:
    there, clicked = log.there[pages], log.clicked[pages]
    rate = clicked.sum(axis=0) / np.maximum(1, there.sum(axis=0))
    cells = np.flatnonzero(there.ravel())
    clicks, expected = clicked.ravel()[cells], np.broadcast_to(rate, there.shape).ravel()[cells]
    stretches, items = log.stretches[pages].ravel()[cells], log.items[pages].ravel()[cells]
    fit = _ratio(stretches, clicks, expected, UNLISTED + 1)
    appeal = _ratio(items, clicks, expected * fit[stretches], log.item_count)
    return rate, fit, appeal


def _ratio(groups: NDArray[np.int64], clicks: Grid, expected: Grid, count: int) -> Grid:
    seen = np.bincount(groups, weights=clicks, minlength=count)
    meant = np.bincount(groups, weights=expected, minlength=count)
    return np.asarray((seen + PRIOR) / (meant + PRIOR))
