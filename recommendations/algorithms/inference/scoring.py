"""Scores items for users, standardised so that the scores of different algorithms can be added.

A scorer is one fitted algorithm with one half-life. Its scores for a user are standardised over all items (mean 0,
deviation 1): z = (score - mean) / deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Matrix
from recommendations.algorithms.data.history import RankedHistory, weighted_matrix
from recommendations.algorithms.models.protocol import FactorMatrix, Fitted, ItemVector

# Users scored by one sparse product.
CHUNK = 128
# Users whose lists are made together, and the scores of all scorers that they have at most: 32 MB.
BLOCK = 64
_MAX_BLOCK_SCORES = 8_000_000
# Scores in memory at once while candidates are collected: 64 MB.
_MAX_SCORES = 16_000_000
# A variance below this share of the squared mean is rounding: the scores are constant.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ScorerConfig:
    """An algorithm's name and the half-life, in rows, of the histories it scores; None for a vector."""

    algorithm: str
    half_life: float | None

    @property
    def label(self) -> str:
        """Return a name for reports, such as "ease/5"."""
        return self.algorithm if self.half_life is None else f"{self.algorithm}/{self.half_life:g}"


@dataclass(frozen=True, eq=False)
class Scores:
    """One scorer's scores for one user: `values` at `items`, 0 elsewhere, and the moments over all items.

    `items` is None where `values` covers every item.
    """

    items: IntArray | None
    values: FloatArray
    mean: float
    deviation: float

    def add_to(self, total: NDArray[np.float64], weight: float) -> None:
        """Add weight * z, up to a constant, to `total` (items,)."""
        if self.deviation == 0.0:
            return
        scaled = self.values.astype(np.float64) * (weight / self.deviation)
        if self.items is None:
            total += scaled
        else:
            total[self.items] += scaled

    def standardised(self, scratch: NDArray[np.float64], wanted: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return z of the wanted items; `scratch` (items,) is zero before and after."""
        if self.deviation == 0.0:
            return np.zeros(len(wanted))
        if self.items is None:
            raw = self.values[wanted].astype(np.float64)
        else:
            scratch[self.items] = self.values
            raw = scratch[wanted]
            scratch[self.items] = 0.0
        return np.asarray((raw - self.mean) / self.deviation)


def _moments(values: FloatArray, item_count: int) -> tuple[float, float]:
    exact = values.astype(np.float64)
    mean = float(exact.sum()) / item_count
    variance = float(np.square(exact).sum()) / item_count - mean * mean
    return mean, float(np.sqrt(variance)) if variance > _ROUNDING * max(1.0, mean * mean) else 0.0


def standardise_vector(vector: ItemVector) -> Scores:
    """Return the scores of a vector, which are the same for all users."""
    mean, deviation = _moments(vector.values, len(vector.values))
    return Scores(items=None, values=vector.values, mean=mean, deviation=deviation)


def score_histories(
    fitted: dict[str, Fitted], scorers: Sequence[ScorerConfig], histories: Sequence[RankedHistory], item_count: int
) -> Iterator[list[Scores]]:
    """Yield the scores of every scorer for each history.

    The scores of a history do not depend on the others: each row of a sparse product is summed alone.
    """
    constant = {
        scorer: standardise_vector(part)
        for scorer in scorers
        if isinstance(part := fitted[scorer.algorithm], ItemVector)
    }
    for start in range(0, len(histories), CHUNK):
        chunk = histories[start : start + CHUNK]
        products = {}
        weights: dict[float, Matrix] = {}
        for scorer in scorers:
            part = fitted[scorer.algorithm]
            if not isinstance(part, ItemVector):
                assert scorer.half_life is not None
                if scorer.half_life not in weights:
                    weights[scorer.half_life] = weighted_matrix(
                        chunk, half_life=scorer.half_life, item_count=item_count
                    )
                products[scorer] = part.score(weights[scorer.half_life])
        for row in range(len(chunk)):
            yield [
                constant[scorer] if scorer in constant else _scores_of_row(products[scorer], row, item_count)
                for scorer in scorers
            ]


def _scores_of_row(product: Matrix | FloatArray, row: int, item_count: int) -> Scores:
    if isinstance(product, np.ndarray):
        mean, deviation = _moments(product[row], item_count)
        return Scores(items=None, values=product[row], mean=mean, deviation=deviation)
    start, end = product.indptr[row], product.indptr[row + 1]
    values = product.data[start:end]
    mean, deviation = _moments(values, item_count)
    return Scores(items=product.indices[start:end], values=values, mean=mean, deviation=deviation)


@dataclass(frozen=True, eq=False)
class ScoreBlock:
    """The scores of a block of users by every scorer. A user's do not depend on who else is in the block.

    Attributes:
        tables: for each scorer (users, items) raw scores.
        means, deviations: (scorers, users) over all items; a deviation of 0 where the scores are constant.
    """

    tables: Sequence[FloatArray]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]

    def standardised(self, wanted: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return (scorers, users, n) z of the wanted items (users, n)."""
        rows = np.arange(len(wanted))[:, None]
        found = np.empty((len(self.tables), *wanted.shape))
        for place, table in enumerate(self.tables):
            found[place] = table[rows, wanted]
        found -= self.means[:, :, None]
        found /= np.where(self.deviations > 0, self.deviations, 1.0)[:, :, None]
        found[self.deviations == 0] = 0.0
        return found


def score_blocks(
    fitted: Mapping[str, Fitted], scorers: Sequence[ScorerConfig], histories: Sequence[RankedHistory], item_count: int
) -> Iterator[tuple[Sequence[RankedHistory], ScoreBlock]]:
    """Yield the histories in blocks, with the scores of every scorer."""
    at_once = max(1, min(BLOCK, _MAX_BLOCK_SCORES // max(1, len(scorers) * item_count)))
    constant = {
        scorer: standardise_vector(part)
        for scorer in scorers
        if isinstance(part := fitted[scorer.algorithm], ItemVector)
    }
    for start in range(0, len(histories), at_once):
        block = histories[start : start + at_once]
        tables, moments = [], []
        for scorer in scorers:
            if scorer in constant:
                own = constant[scorer]
                tables.append(np.broadcast_to(own.values, (len(block), item_count)))
                moments.append((np.full(len(block), own.mean), np.full(len(block), own.deviation)))
            else:
                tables.append(_exact_table(fitted[scorer.algorithm], scorer, block, item_count))
                moments.append(_exact_moments(tables[-1]))
        means, deviations = (np.stack(each) for each in zip(*moments, strict=True))
        yield block, ScoreBlock(tables, means, deviations)


def _exact_table(part: Fitted, scorer: ScorerConfig, block: Sequence[RankedHistory], item_count: int) -> FloatArray:
    """Return (users, items) raw scores, each user's row alone."""
    assert scorer.half_life is not None
    assert not isinstance(part, ItemVector)
    product = part.score(weighted_matrix(block, half_life=scorer.half_life, item_count=item_count))
    return product if isinstance(product, np.ndarray) else np.asarray(product.toarray())


def _exact_moments(table: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (users,) means and deviations. Each row is summed alone, in one order."""
    values = table.astype(np.float64)
    mean = values.sum(axis=1) / table.shape[1]
    np.square(values, out=values)
    variance = values.sum(axis=1) / table.shape[1] - mean * mean
    constant = variance <= _ROUNDING * np.maximum(1.0, mean * mean)
    return mean, np.where(constant, 0.0, np.sqrt(np.where(constant, 1.0, variance)))


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
    for start in range(0, len(histories), at_once):
        chunk = histories[start : start + at_once]
        yield start, chunk, [_table(fitted[scorer.algorithm], scorer, chunk, item_count) for scorer in scorers]


def _table(part: Fitted, scorer: ScorerConfig, histories: Sequence[RankedHistory], item_count: int) -> FloatArray:
    """Return (users, items) raw scores."""
    if isinstance(part, ItemVector):
        return np.broadcast_to(part.values, (len(histories), item_count))
    assert scorer.half_life is not None
    weights = weighted_matrix(histories, half_life=scorer.half_life, item_count=item_count)
    return part.score_batch(weights) if isinstance(part, FactorMatrix) else np.asarray(part.score(weights).toarray())


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
    constant = variance <= _ROUNDING * np.maximum(1.0, mean * mean)
    return mean, np.where(constant, 0.0, 1.0 / np.sqrt(np.where(constant, 1.0, variance)))
