"""Scores of many users at once, equal to those of their lists up to rounding, and the candidates that follow from them.

For the decisions of a training, which compare many scorers over thousands of users.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray
from recommendations.algorithms.data.history import RankedHistory
from recommendations.algorithms.inference.scoring import (
    CHUNK,
    ROUNDING,
    BlockWeights,
    ScorerConfig,
    places_by_algorithm,
)
from recommendations.algorithms.models.protocol import FactorMatrix, Fitted, ItemVector

# Scores in memory at once while candidates are collected: 64 MB.
_MAX_SCORES = 16_000_000


@dataclass(frozen=True, eq=False)
class Candidates:
    """One user's candidates.

    Attributes:
        items: (n,) the strongest items of each scorer, ascending.
        features: (n, scorers) their standardised scores.
    """

    items: NDArray[np.int64]
    features: NDArray[np.float64]


def iter_candidates(
    fitted: dict[str, Fitted],
    scorers: Sequence[ScorerConfig],
    histories: Sequence[RankedHistory],
    item_count: int,
    *,
    per_scorer: int,
) -> Iterator[Candidates]:
    """Yield, for each history, the `per_scorer` highest positive scores of every scorer, with all scorers' scores.

    Items of the history are no candidates.
    """
    for _, chunk, tables in score_tables(fitted, scorers, histories, item_count):
        rows = np.repeat(np.arange(len(chunk)), [len(history.items) for history in chunk])
        own = (rows, np.concatenate([history.items for history in chunk]))
        wanted = np.zeros((len(chunk), item_count), dtype=bool)
        for table in tables:
            _mark_strongest(wanted, table, own, min(per_scorer, item_count))
        moments = [_moments_of_rows(table) for table in tables]
        for row in range(len(chunk)):
            items = np.flatnonzero(wanted[row])
            features = np.empty((len(items), len(scorers)))
            for place, (table, (mean, inverse)) in enumerate(zip(tables, moments, strict=True)):
                features[:, place] = (table[row, items] - mean[row]) * inverse[row]
            yield Candidates(items, features)


def score_tables(
    fitted: dict[str, Fitted], scorers: Sequence[ScorerConfig], histories: Sequence[RankedHistory], item_count: int
) -> Iterator[tuple[int, Sequence[RankedHistory], list[FloatArray]]]:
    """Yield chunks: the position of the first history, the histories, and (users, items) raw scores of each scorer."""
    at_once = max(1, min(CHUNK, _MAX_SCORES // max(1, len(scorers) * item_count)))
    by_algorithm = places_by_algorithm(scorers)
    for start in range(0, len(histories), at_once):
        chunk = histories[start : start + at_once]
        tables: list[FloatArray] = [np.empty(0, dtype=np.float32)] * len(scorers)
        users, weights = len(chunk), BlockWeights(chunk, item_count)
        for algorithm, places in by_algorithm.items():
            part = fitted[algorithm]
            if isinstance(part, ItemVector):
                for place in places:
                    tables[place] = np.broadcast_to(part.values, (users, item_count))
                continue
            own = weights.of_scorers([scorers[place] for place in places])
            product = part.score_batch(own) if isinstance(part, FactorMatrix) else part.score(own).toarray()
            for row, place in enumerate(places):
                tables[place] = product[row * users : (row + 1) * users]
        yield start, chunk, tables


def _mark_strongest(
    wanted: NDArray[np.bool_], table: FloatArray, own: tuple[NDArray[np.integer], NDArray[np.integer]], count: int
) -> None:
    others = table.copy()
    others[own] = 0.0
    picked = np.argpartition(others, others.shape[1] - count, axis=1)[:, others.shape[1] - count :]
    rows = np.broadcast_to(np.arange(len(table))[:, None], picked.shape)
    positive = np.take_along_axis(others, picked, axis=1) > 0
    wanted[rows[positive], picked[positive]] = True


def _moments_of_rows(table: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (users,) means and inverse deviations, 0 where the scores are constant."""
    mean = table.mean(axis=1, dtype=np.float64)
    variance = np.einsum("pi,pi->p", table, table, dtype=np.float64) / table.shape[1] - mean * mean
    constant = variance <= ROUNDING * np.maximum(1.0, mean * mean)
    return mean, np.where(constant, 0.0, 1.0 / np.sqrt(np.where(constant, 1.0, variance)))
