"""Sources of explanations: the history items and the kind of algorithm that contributed most to an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data import recency_weights
from recommendations.algorithms.data.dataset import IntArray
from recommendations.algorithms.data.history import RankedHistory
from recommendations.algorithms.inference.scoring import ScoreBlock, ScorerConfig
from recommendations.algorithms.models.protocol import Fitted, ItemVector
from recommendations.algorithms.models.registry import family_of

PER_RECOMMENDATION = 2
# An explanation should name an item that the user remembers: only this many latest rows count.
LATEST_ROWS = 50


def evidence(
    fitted: Mapping[str, Fitted],
    scorers: Sequence[ScorerConfig],
    weights: NDArray[np.float64],
    histories: Sequence[RankedHistory],
    block: ScoreBlock,
    recommended: Sequence[IntArray],
) -> list[IntArray]:
    """Return for each user (recommendations, 2): history items by descending contribution, -1 where none contributed.

    A history item's contribution is its rows' part of the blend: sum over scorers of
    weight / deviation * recency weight * M[item, recommended item]. Equal contributions rank by recency, then by index.
    `weights` are (users, scorers).
    """
    latest = [np.argsort(history.ranks, kind="stable")[:LATEST_ROWS] for history in histories]
    items = [history.items[rows] for history, rows in zip(histories, latest, strict=True)]
    shares = _shares(scorers, weights, histories, block, latest)
    return [
        _strongest(fitted, own, {name: each[user] for name, each in shares.items()}, others)
        for user, (own, others) in enumerate(zip(items, recommended, strict=True))
    ]


def _strongest(
    fitted: Mapping[str, Fitted], items: IntArray, shares: Mapping[str, NDArray[np.float64]], recommended: IntArray
) -> IntArray:
    """Return one user's sources: alone, so that the rows stay in the processor's cache."""
    found = np.full((len(recommended), PER_RECOMMENDATION), -1, dtype=np.int32)
    if not len(items) or not len(recommended):
        return found
    table = np.zeros((len(items), len(recommended)))
    for algorithm, share in shares.items():
        part = fitted[algorithm]
        assert not isinstance(part, ItemVector)
        part.add_submatrix(table, items, recommended, share)
    columns = np.arange(len(recommended))
    for place in range(min(PER_RECOMMENDATION, len(items))):
        best = table.argmax(axis=0)  # the first of equals, which is the most recent
        found[:, place] = np.where(table[best, columns] > 0, items[best], -1)
        table[best, columns] = -np.inf
    return found


def families(
    scorers: Sequence[ScorerConfig],
    weights: NDArray[np.float64],
    block: ScoreBlock,
    recommended: Sequence[IntArray],
) -> list[tuple[str, ...]]:
    """Return for each user, per item, the family with the largest sum of weight * z; "popularity" where none is
    positive. `weights` are (users, scorers).
    """
    wanted = np.zeros((len(recommended), max((len(own) for own in recommended), default=0)), dtype=np.int32)
    for user, own in enumerate(recommended):
        wanted[user, : len(own)] = own
    totals: dict[str, NDArray[np.float64]] = {"popularity": np.zeros(wanted.shape)}
    for place, (scorer, standardised) in enumerate(zip(scorers, block.standardised(wanted), strict=True)):
        family = family_of(scorer.algorithm)
        contribution = weights[:, place, None] * standardised
        totals[family] = totals[family] + contribution if family in totals else contribution
    stacked = np.stack(list(totals.values()))
    strongest = np.where(stacked.max(axis=0) > 0, np.argmax(stacked, axis=0), 0)
    names = np.array(list(totals), dtype=object)[strongest]
    return [tuple(names[user, : len(own)].tolist()) for user, own in enumerate(recommended)]


def _shares(
    scorers: Sequence[ScorerConfig],
    weights: NDArray[np.float64],
    histories: Sequence[RankedHistory],
    block: ScoreBlock,
    latest: Sequence[NDArray[np.integer]],
) -> dict[str, list[NDArray[np.float64]]]:
    """Return, for each matrix, the factor of each user's rows, summed over the scorers of that matrix."""
    sizes = np.array([len(rows) for rows in latest], dtype=np.int64)
    pairs = list(zip(histories, latest, strict=True))
    ranks = np.concatenate([history.ranks[rows] for history, rows in pairs])
    own = np.concatenate([history.weights[rows] for history, rows in pairs])
    shares: dict[str, NDArray[np.float64]] = {}
    for place, scorer in enumerate(scorers):
        if scorer.half_life is None:
            continue
        deviation = block.deviations[place]
        scale = np.divide(weights[:, place], deviation, out=np.zeros_like(deviation), where=deviation > 0)
        share = recency_weights.weights_of_each(ranks, sizes, scorer.half_life) * own * np.repeat(scale, sizes)
        shares[scorer.algorithm] = shares.get(scorer.algorithm, np.zeros(len(ranks))) + share
    cuts = np.cumsum(sizes)[:-1]
    return {algorithm: np.split(share, cuts) for algorithm, share in shares.items()}
