"""Why an item is on a list: which history items and which kind of algorithm spoke most for it."""

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

PER_PROPOSAL = 2
# A reason names something the user remembers: only this many of the latest rows are looked at.
LATEST_ROWS = 50


def evidence(artefact: Artefact, history: RankedHistory, scores: list[Scores], proposed: IntArray) -> IntArray:
    """Return (proposals, 2): history items by falling contribution to the blended score, -1 where none contributed.

    A history item's contribution is its rows' part of the blend: sum over reads of
    weight / deviation * recency weight * M[item, proposal]. Equal contributions rank by recency, then by index.
    """
    found = np.full((len(proposed), PER_PROPOSAL), -1, dtype=np.int32)
    latest = np.argsort(history.ranks, kind="stable")[:LATEST_ROWS]
    if not len(latest) or not len(proposed):
        return found
    items, ranks = history.items[latest], history.ranks[latest]
    table = np.zeros((len(proposed), len(items)))
    for algorithm, share in _shares(artefact, scores, ranks, history.weights[latest]).items():
        part = artefact.fitted[algorithm]
        assert not isinstance(part, ItemVector)
        table += (part.submatrix(items, proposed) * share[:, None]).T
    best = np.argsort(-table, axis=1, kind="stable")[:, :PER_PROPOSAL]
    spoke = np.take_along_axis(table, best, axis=1) > 0
    found[:, : best.shape[1]] = np.where(spoke, items[best], -1)
    return found


def families(artefact: Artefact, scores: list[Scores], proposed: IntArray) -> tuple[str, ...]:
    """Return, per proposal, the family with the largest sum of weight * z; "popularity" where none is positive."""
    totals: dict[str, NDArray[np.float64]] = {"popularity": np.zeros(len(proposed))}
    scratch = np.zeros(artefact.item_count)
    for scorer, weight, score in zip(artefact.scorers, artefact.weights, scores, strict=True):
        family = family_of(scorer.algorithm)
        spoken = weight * score.standardised(scratch, proposed)
        totals[family] = totals.get(family, np.zeros(len(proposed))) + spoken
    names = list(totals)
    strongest = np.argmax(np.stack(list(totals.values())), axis=0)
    positive = np.max(np.stack(list(totals.values())), axis=0) > 0
    return tuple(names[index] if speaks else "popularity" for index, speaks in zip(strongest, positive, strict=True))


def _shares(
    artefact: Artefact, scores: list[Scores], ranks: NDArray[np.float64], weights: FloatArray
) -> dict[str, NDArray[np.float64]]:
    """Return, for each matrix, what each row is multiplied with, summed over the reads of that matrix."""
    shares: dict[str, NDArray[np.float64]] = {}
    for scorer, weight, score in zip(artefact.scorers, artefact.weights, scores, strict=True):
        if scorer.half_life is None or score.deviation == 0.0:
            continue
        share = recency_weights.weights(ranks, scorer.half_life) * weights * (weight / score.deviation)
        shares[scorer.algorithm] = shares.get(scorer.algorithm, np.zeros(len(ranks))) + share
    return shares
