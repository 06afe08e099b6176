"""Read fitted algorithms for people: every score, standardised so that different algorithms can be added.

A read is one fitted algorithm together with one half-life. A read's score of an item for a person is standardised
over all items (mean 0, deviation 1): z = (score - mean) / deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Matrix
from recommendations.algorithms.data.history import RankedHistory, weighted_matrix
from recommendations.algorithms.models.protocol import FactorMatrix, Fitted, ItemVector

# People whose scores are made by one sparse product.
CHUNK = 128
# Scores that are held at once while candidates are looked for: 64 MB.
_MOST_SCORES = 16_000_000
# Below this share of the mean's square a variance is rounding, and the scores are all alike.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Read:
    """An algorithm's name and the half-life, in rows, its matrix is read with; None for a vector."""

    algorithm: str
    half_life: float | None

    @property
    def label(self) -> str:
        """Return a name such as "ease@5" for reports."""
        return self.algorithm if self.half_life is None else f"{self.algorithm}/{self.half_life:g}"


@dataclass(frozen=True, eq=False)
class Scores:
    """One read for one person: `values` at `items`, 0 elsewhere, and the moments over all items.

    `items` is None where `values` covers every item.
    """

    items: IntArray | None
    values: FloatArray
    mean: float
    deviation: float

    def add_to(self, total: NDArray[np.float64], weight: float) -> None:
        """Add weight * z, short of a constant, to `total` (items,)."""
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


def vector_scores(vector: ItemVector) -> Scores:
    """Standardise a vector, which reads alike for everybody."""
    mean, deviation = _moments(vector.values, len(vector.values))
    return Scores(items=None, values=vector.values, mean=mean, deviation=deviation)


def read_scores(
    fitted: dict[str, Fitted], reads: Sequence[Read], histories: Sequence[RankedHistory], item_count: int
) -> Iterator[list[Scores]]:
    """Yield, for each history, the scores of every read.

    What is yielded for a history does not depend on the others: each row of a sparse product is summed alone.
    """
    static = {read: vector_scores(part) for read in reads if isinstance(part := fitted[read.algorithm], ItemVector)}
    for start in range(0, len(histories), CHUNK):
        chunk = histories[start : start + CHUNK]
        products = {}
        weights: dict[float, Matrix] = {}
        for read in reads:
            part = fitted[read.algorithm]
            if not isinstance(part, ItemVector):
                assert read.half_life is not None
                if read.half_life not in weights:
                    weights[read.half_life] = weighted_matrix(chunk, half_life=read.half_life, item_count=item_count)
                products[read] = part.spoken(weights[read.half_life])
        for person in range(len(chunk)):
            yield [static[read] if read in static else _row(products[read], person, item_count) for read in reads]


def _row(product: Matrix | FloatArray, person: int, item_count: int) -> Scores:
    if isinstance(product, np.ndarray):
        mean, deviation = _moments(product[person], item_count)
        return Scores(items=None, values=product[person], mean=mean, deviation=deviation)
    start, end = product.indptr[person], product.indptr[person + 1]
    values = product.data[start:end]
    mean, deviation = _moments(values, item_count)
    return Scores(
        items=product.indices[start:end],
        values=values,
        mean=mean,
        deviation=deviation,
    )


@dataclass(frozen=True, eq=False)
class Candidates:
    """One person's candidates.

    Attributes:
        items: (n,) the strongest items of each read, ascending.
        features: (n, reads) their standardised scores.
    """

    items: NDArray[np.int64]
    features: NDArray[np.float64]


def candidates(
    fitted: dict[str, Fitted],
    reads: Sequence[Read],
    histories: Sequence[RankedHistory],
    item_count: int,
    *,
    each: int,
) -> Iterator[Candidates]:
    """Yield, for each history, the `each` highest positive scores of every read, and what all reads say of them.

    A person's own items are no candidates.
    """
    for _, part, scores in tables(fitted, reads, histories, item_count):
        whose = np.repeat(np.arange(len(part)), [len(one.items) for one in part])
        own = (whose, np.concatenate([one.items for one in part]))
        wanted = np.zeros((len(part), item_count), dtype=bool)
        for table in scores:
            _mark_strongest(wanted, table, own, min(each, item_count))
        moments = [_moments_of_rows(table) for table in scores]
        for person in range(len(part)):
            items = np.flatnonzero(wanted[person])
            features = np.empty((len(items), len(reads)))
            for place, (table, (mean, inverse)) in enumerate(zip(scores, moments, strict=True)):
                features[:, place] = (table[person, items] - mean[person]) * inverse[person]
            yield Candidates(items, features)


def tables(
    fitted: dict[str, Fitted], reads: Sequence[Read], histories: Sequence[RankedHistory], item_count: int
) -> Iterator[tuple[int, Sequence[RankedHistory], list[FloatArray]]]:
    """Yield groups of people: the place of the first, their histories, and (people, items) raw scores of each read."""
    at_once = max(1, min(CHUNK, _MOST_SCORES // max(1, len(reads) * item_count)))
    for start in range(0, len(histories), at_once):
        part = histories[start : start + at_once]
        yield start, part, [_table(fitted[read.algorithm], read, part, item_count) for read in reads]


def _table(part: Fitted, read: Read, histories: Sequence[RankedHistory], item_count: int) -> FloatArray:
    """Return (people, items) raw scores."""
    if isinstance(part, ItemVector):
        return np.broadcast_to(part.values, (len(histories), item_count))
    assert read.half_life is not None
    weights = weighted_matrix(histories, half_life=read.half_life, item_count=item_count)
    return (
        part.spoken_at_once(weights) if isinstance(part, FactorMatrix) else np.asarray(part.spoken(weights).toarray())
    )


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
    """Return (people,) means and inverse deviations, 0 where the scores are all alike."""
    mean = table.mean(axis=1, dtype=np.float64)
    variance = np.einsum("pi,pi->p", table, table, dtype=np.float64) / table.shape[1] - mean * mean
    alike = variance <= _ROUNDING * np.maximum(1.0, mean * mean)
    return mean, np.where(alike, 0.0, 1.0 / np.sqrt(np.where(alike, 1.0, variance)))
