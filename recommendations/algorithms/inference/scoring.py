"""Scores items for users, standardised so that the scores of different algorithms can be added.

A scorer is one fitted algorithm with one half-life. Its scores for a user are standardised over all items (mean 0,
deviation 1): z = (score - mean) / deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Matrix
from recommendations.algorithms.data.history import RankedHistory, weighted_matrices, weighted_matrix
from recommendations.algorithms.models.protocol import Fitted, ItemVector

# Users scored by one sparse product.
CHUNK = 128
# Users whose lists are made together, and the scores of all scorers that they have at most: 32 MB.
BLOCK = 64
_MAX_BLOCK_SCORES = 8_000_000
# A variance below this share of the squared mean is rounding: the scores are constant.
ROUNDING = 1e-12


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
    return mean, float(np.sqrt(variance)) if variance > ROUNDING * max(1.0, mean * mean) else 0.0


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
    constant = constant_scores(fitted, scorers)
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


def constant_scores(fitted: Mapping[str, Fitted], scorers: Sequence[ScorerConfig]) -> Mapping[ScorerConfig, Scores]:
    """Return the scores of the scorers that are the same for all users."""
    return {
        scorer: standardise_vector(part)
        for scorer in scorers
        if isinstance(part := fitted[scorer.algorithm], ItemVector)
    }


def score_blocks(
    fitted: Mapping[str, Fitted],
    scorers: Sequence[ScorerConfig],
    histories: Sequence[RankedHistory],
    item_count: int,
    constant: Mapping[ScorerConfig, Scores],
) -> Iterator[tuple[Sequence[RankedHistory], ScoreBlock]]:
    """Yield the histories in blocks, with the scores of every scorer; `constant` are their `constant_scores`."""
    at_once = max(1, min(BLOCK, _MAX_BLOCK_SCORES // max(1, len(scorers) * item_count)))
    by_algorithm = places_by_algorithm(scorers)
    for start in range(0, len(histories), at_once):
        block = histories[start : start + at_once]
        users, weights = len(block), BlockWeights(block, item_count)
        means, deviations = np.empty((len(scorers), users)), np.empty((len(scorers), users))
        tables: list[FloatArray] = [np.empty(0, dtype=np.float32)] * len(scorers)
        for algorithm, places in by_algorithm.items():
            part = fitted[algorithm]
            if isinstance(part, ItemVector):
                for place in places:
                    own = constant[scorers[place]]
                    tables[place] = np.broadcast_to(own.values, (users, item_count))
                    means[place], deviations[place] = own.mean, own.deviation
                continue
            # All half-lives of a matrix at once: with few users most of the time is the overhead of products.
            product = part.score(weights.of_scorers([scorers[place] for place in places]))
            rows = product if isinstance(product, np.ndarray) else np.asarray(product.toarray())
            own_means, own_deviations = _exact_moments(rows)
            for row, place in enumerate(places):
                mine = slice(row * users, (row + 1) * users)
                tables[place] = rows[mine]
                means[place], deviations[place] = own_means[mine], own_deviations[mine]
        yield block, ScoreBlock(tables, means, deviations)


def places_by_algorithm(scorers: Sequence[ScorerConfig]) -> dict[str, list[int]]:
    """Return the positions of each algorithm's scorers: products with all of its half-lives share their overhead."""
    found: dict[str, list[int]] = {}
    for place, scorer in enumerate(scorers):
        found.setdefault(scorer.algorithm, []).append(place)
    return found


@dataclass(frozen=True, eq=False)
class BlockWeights:
    """The weighted histories of a block of users, which algorithms of the same half-lives share."""

    block: Sequence[RankedHistory]
    item_count: int
    known: dict[tuple[float, ...], Matrix] = field(default_factory=dict)

    def of_scorers(self, scorers: Sequence[ScorerConfig]) -> Matrix:
        """Return (scorers * users, items): the histories as each of the scorers reads them, one below the other."""
        half_lives = tuple(scorer.half_life for scorer in scorers if scorer.half_life is not None)
        assert len(half_lives) == len(scorers)
        if half_lives not in self.known:
            self.known[half_lives] = weighted_matrices(self.block, half_lives=half_lives, item_count=self.item_count)
        return self.known[half_lives]


def _exact_moments(table: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (users,) means and deviations. Each row is summed alone, in one order."""
    values = table.astype(np.float64)
    mean = values.sum(axis=1) / table.shape[1]
    np.square(values, out=values)
    variance = values.sum(axis=1) / table.shape[1] - mean * mean
    constant = variance <= ROUNDING * np.maximum(1.0, mean * mean)
    return mean, np.where(constant, 0.0, np.sqrt(np.where(constant, 1.0, variance)))
