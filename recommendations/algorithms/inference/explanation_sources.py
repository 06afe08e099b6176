"""Sources of explanations: the history items and the kind of algorithm that contributed most to an item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data import recency_weights
from recommendations.algorithms.data.dataset import FloatArray, IntArray
from recommendations.algorithms.data.history import RankedHistory
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.scoring import Scores
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.algorithms.models.registry import family_of

PER_RECOMMENDATION = 2
# An explanation should name an item that the user remembers: only this many latest rows count.
LATEST_ROWS = 50


def evidence(artefact: Artefact, history: RankedHistory, scores: list[Scores], recommended: IntArray) -> IntArray:
    """Return (recommendations, 2): history items by descending contribution, -1 where none contributed.

    A history item's contribution is its rows' part of the blend: sum over scorers of
    weight / deviation * recency weight * M[item, recommended item]. Equal contributions rank by recency, then by index.
    """
    sources = np.full((len(recommended), PER_RECOMMENDATION), -1, dtype=np.int32)
    latest = np.argsort(history.ranks, kind="stable")[:LATEST_ROWS]
    if not len(latest) or not len(recommended):
        return sources
    items, ranks = history.items[latest], history.ranks[latest]
    table = np.zeros((len(recommended), len(items)))
    for algorithm, share in _shares(artefact, scores, ranks, history.weights[latest]).items():
        part = artefact.fitted[algorithm]
        assert not isinstance(part, ItemVector)
        table += (part.submatrix(items, recommended) * share[:, None]).T
    best = np.argsort(-table, axis=1, kind="stable")[:, :PER_RECOMMENDATION]
    positive = np.take_along_axis(table, best, axis=1) > 0
    sources[:, : best.shape[1]] = np.where(positive, items[best], -1)
    return sources


def families(artefact: Artefact, scores: list[Scores], recommended: IntArray) -> tuple[str, ...]:
    """Return, per item, the family with the largest sum of weight * z; "popularity" where none is positive."""
    totals: dict[str, NDArray[np.float64]] = {"popularity": np.zeros(len(recommended))}
    scratch = np.zeros(artefact.item_count)
    for scorer, weight, score in zip(artefact.scorers, artefact.weights, scores, strict=True):
        family = family_of(scorer.algorithm)
        contribution = weight * score.standardised(scratch, recommended)
        totals[family] = totals.get(family, np.zeros(len(recommended))) + contribution
    names = list(totals)
    strongest = np.argmax(np.stack(list(totals.values())), axis=0)
    positive = np.max(np.stack(list(totals.values())), axis=0) > 0
    return tuple(
        names[index] if contributes else "popularity" for index, contributes in zip(strongest, positive, strict=True)
    )


def _shares(
    artefact: Artefact, scores: list[Scores], ranks: NDArray[np.float64], weights: FloatArray
) -> dict[str, NDArray[np.float64]]:
    """Return, for each matrix, the factor of each row, summed over the scorers of that matrix."""
    shares: dict[str, NDArray[np.float64]] = {}
    for scorer, weight, score in zip(artefact.scorers, artefact.weights, scores, strict=True):
        if scorer.half_life is None or score.deviation == 0.0:
            continue
        share = recency_weights.weights(ranks, scorer.half_life) * weights * (weight / score.deviation)
        shares[scorer.algorithm] = shares.get(scorer.algorithm, np.zeros(len(ranks))) + share
    return shares
