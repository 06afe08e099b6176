"""Sources of explanations: the history items and the kind of algorithm that contributed most to an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data import recency_weights
from recommendations.algorithms.data.dataset import IntArray
from recommendations.algorithms.data.history import RankedHistory
from recommendations.algorithms.inference.scoring import ScoreBlock, ScorerConfig
from recommendations.algorithms.models.protocol import Fitted, ItemMatrix, ItemVector, PairMatrix
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
    length = max((len(own) for own in recommended), default=0)
    rows = max((len(own) for own in items), default=0)
    if not length or not rows:
        return [np.full((len(own), PER_RECOMMENDATION), -1, dtype=np.int32) for own in recommended]
    table = np.zeros((len(histories), length, rows))
    for algorithm, shares in _shares(scorers, weights, histories, block, latest).items():
        part = fitted[algorithm]
        assert not isinstance(part, ItemVector)
        _add_contributions(table, part, items, shares, recommended)
    found = np.full((*table.shape[:2], PER_RECOMMENDATION), -1, dtype=np.int32)
    padded = np.stack([np.append(own, np.zeros(rows - len(own), dtype=np.int32)) for own in items])
    for place in range(min(PER_RECOMMENDATION, rows)):
        best = table.argmax(axis=2)  # the first of equals, which is the most recent
        highest = np.take_along_axis(table, best[:, :, None], axis=2)[:, :, 0]
        found[:, :, place] = np.where(highest > 0, np.take_along_axis(padded, best, axis=1), -1)
        np.put_along_axis(table, best[:, :, None], -np.inf, axis=2)
    return [found[user, : len(own)] for user, own in enumerate(recommended)]


def _add_contributions(
    table: NDArray[np.float64],
    part: PairMatrix,
    items: Sequence[IntArray],
    shares: Sequence[NDArray[np.float64]],
    recommended: Sequence[IntArray],
) -> None:
    """Add M[item, recommended item] * share to `table` (users, recommendations, history rows)."""
    if not isinstance(part, ItemMatrix):
        # A product for each user, as one of another shape may add up in another order.
        for user, (own, share, others) in enumerate(zip(items, shares, recommended, strict=True)):
            table[user, : len(others), : len(own)] += (part.submatrix(own, others) * share[:, None]).T
        return
    position = np.full((len(items), part.item_count), -1, dtype=np.int32)
    for user, others in enumerate(recommended):
        position[user, others] = np.arange(len(others), dtype=np.int32)
    sizes = np.array([len(own) for own in items], dtype=np.int64)
    user_of_row = np.repeat(np.arange(len(items)), sizes)
    row_of_user = np.arange(len(user_of_row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    entries = part.rows(np.concatenate(items))
    offsets = np.repeat(user_of_row * part.item_count, np.diff(entries.indptr))
    at = position.ravel()[offsets + entries.indices]
    hits = np.flatnonzero(at >= 0)
    row = np.searchsorted(entries.indptr, hits, side="right") - 1
    contributions = entries.data[hits].astype(np.float64) * np.concatenate(shares)[row]
    table[user_of_row[row], at[hits], row_of_user[row]] += contributions


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
