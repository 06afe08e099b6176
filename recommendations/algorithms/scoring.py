"""Read fitted algorithms for people: every score, standardised so that different algorithms can be added.

A read is one fitted algorithm together with one half-life. A read's score of an item for a person is standardised
over all items (mean 0, deviation 1): z = (score - mean) / deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.dataset import FloatArray, IntArray
from recommendations.algorithms.history import RankedHistory, weighted_matrix
from recommendations.algorithms.protocol import Fitted, ItemMatrix, ItemVector

# People whose scores are made by one sparse product.
CHUNK = 128


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

    def strongest(self, count: int, barred: IntArray) -> NDArray[np.integer]:
        """Return up to `count` items of the highest positive scores that are not in `barred`."""
        values = self.values.copy()
        if self.items is None:
            values[barred] = 0.0
        else:
            values[np.isin(self.items, barred)] = 0.0
        room = min(count, len(values))
        picked = np.argpartition(values, len(values) - room)[len(values) - room :]
        picked = picked[values[picked] > 0]
        return picked if self.items is None else self.items[picked]


def _moments(values: FloatArray, item_count: int) -> tuple[float, float]:
    exact = values.astype(np.float64)
    mean = float(exact.sum()) / item_count
    variance = float(np.square(exact).sum()) / item_count - mean * mean
    # Below this the difference is rounding, and the scores are all alike.
    return mean, float(np.sqrt(variance)) if variance > 1e-12 * max(1.0, mean * mean) else 0.0


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
        for read in reads:
            part = fitted[read.algorithm]
            if isinstance(part, ItemMatrix):
                assert read.half_life is not None
                weights = weighted_matrix(chunk, half_life=read.half_life, item_count=item_count)
                products[read] = part.spoken(weights)
        for person in range(len(chunk)):
            yield [static[read] if read in static else _row(products[read], person, item_count) for read in reads]


def _row(product: object, person: int, item_count: int) -> Scores:
    start, end = product.indptr[person], product.indptr[person + 1]  # type: ignore[attr-defined]
    values = product.data[start:end]  # type: ignore[attr-defined]
    mean, deviation = _moments(values, item_count)
    return Scores(
        items=product.indices[start:end],  # type: ignore[attr-defined]
        values=values,
        mean=mean,
        deviation=deviation,
    )
