"""Histories of users, single and as one sparse matrix."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recommendations.algorithms.data import recency_weights
from recommendations.algorithms.data.dataset import FloatArray, IntArray, Interactions, Matrix, TimeArray


@dataclass(frozen=True, eq=False)
class History:
    """The interactions of one user.

    Attributes:
        items: (n,) item indices of the artefact, oldest first.
        times: (n,) seconds, which decide the order; rows of one moment tie. None: each row is later than the one
        before.
        weights: (n,) the weight of each row, negative for a dislike. None where all are 1.
    """

    items: IntArray
    times: TimeArray | None = None
    weights: FloatArray | None = None

    @classmethod
    def empty(cls) -> History:
        """Return the history of an unknown user."""
        return cls(items=np.empty(0, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class RankedHistory:
    """A history with unique items, ordered by item: `ranks` count rows back from the latest, ties share the mean.

    Of several rows of an item the latest gives the time and the sign of the weight. A positive weight is that of the
    strongest row.
    """

    items: IntArray
    ranks: np.ndarray[tuple[int], np.dtype[np.float64]]
    weights: FloatArray

    @classmethod
    def from_history(cls, history: History, item_count: int) -> RankedHistory:
        """Keep the latest row of each item and rank the rows.

        Raises:
            ValueError: an index outside the artefact's items, or times of another length.
        """
        (ranked,) = rank_histories([history], item_count)
        return ranked


def rank_histories(histories: Sequence[History], item_count: int) -> list[RankedHistory]:
    """Return `RankedHistory.from_history` of each; much faster for many.

    Raises:
        ValueError: as there.
    """
    columns = [_checked(history, item_count) for history in histories]
    if not columns:
        return []
    sizes = np.array([len(items) for items, _, _ in columns], dtype=np.int64)
    items, times, weights = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    users = np.repeat(np.arange(len(columns)), sizes)
    order = np.lexsort((times, items, users))
    items, times, weights, users = items[order], times[order], weights[order], users[order]
    last = np.ones(len(items), dtype=bool)
    last[:-1] = (items[1:] != items[:-1]) | (users[1:] != users[:-1])
    strongest = np.maximum.reduceat(weights, np.append(0, np.flatnonzero(last)[:-1] + 1)) if len(items) else weights
    latest = weights[last]
    items, times, users, weights = items[last], times[last], users[last], np.where(latest > 0, strongest, latest)
    ranks = np.empty(len(items))
    by_time = np.lexsort((times, users))
    ranks[by_time] = recency_weights.ranks_from_each_end(users[by_time], times[by_time])
    ends = np.searchsorted(users, np.arange(len(columns) + 1)).tolist()
    return [RankedHistory(items[one:end], ranks[one:end], weights[one:end]) for one, end in itertools.pairwise(ends)]


def _checked(history: History, item_count: int) -> tuple[IntArray, TimeArray, FloatArray]:
    """Return items, times and weights as arrays of one length."""
    items = np.asarray(history.items, dtype=np.int32)
    if len(items) and (items.min() < 0 or items.max() >= item_count):
        raise ValueError(f"a history holds an item outside 0..{item_count - 1}: drop unknown items first")
    if history.times is None:
        times = np.arange(len(items), dtype=np.float64)
    else:
        times = np.asarray(history.times, dtype=np.float64)
    if len(times) != len(items):
        raise ValueError(f"a history has {len(items)} items and {len(times)} times: give one time per item")
    weights = np.ones(len(items), np.float32) if history.weights is None else np.asarray(history.weights, np.float32)
    if len(weights) != len(items):
        raise ValueError(f"a history has {len(items)} items and {len(weights)} weights: give one weight per item")
    return items, times, weights


def histories_of(interactions: Interactions) -> list[History]:
    """Return the history of every user, in the order of `user_ids`; without times all rows are one tie."""
    times = np.zeros(interactions.row_count) if interactions.times is None else interactions.times
    starts = interactions.starts()
    return [
        History(
            items=interactions.items[start:end],
            times=times[start:end],
            weights=None if interactions.strengths is None else interactions.strengths[start:end],
        )
        for start, end in itertools.pairwise(starts.tolist())
    ]


def weighted_matrix(histories: Sequence[RankedHistory], *, half_life: float, item_count: int) -> Matrix:
    """Return (users, items): recency times weight of each row, nothing where recency makes it negligible.

    Columns ascend within each row, so a product with it adds up in the same order for one user and for many.
    """
    return weighted_matrices(histories, half_lives=(half_life,), item_count=item_count)


def weighted_matrices(histories: Sequence[RankedHistory], *, half_lives: Sequence[float], item_count: int) -> Matrix:
    """Return (half-lives * users, items): `weighted_matrix` of each half-life, one below the other."""
    sizes = np.array([len(history.items) for history in histories], dtype=np.int64)
    ranks = np.concatenate([*(history.ranks for history in histories), np.empty(0)])
    weights = np.concatenate([*(history.weights for history in histories), np.empty(0, np.float32)])
    items = np.concatenate([*(history.items for history in histories), np.empty(0, np.int32)])
    values = np.concatenate([recency_weights.weights_of_each(ranks, sizes, each) * weights for each in half_lives])
    used = values != 0
    ends = np.concatenate([[0], np.cumsum(used)])[np.concatenate([[0], np.cumsum(np.tile(sizes, len(half_lives)))])]
    shape = (len(half_lives) * len(histories), item_count)
    columns = np.tile(items, len(half_lives))[used]
    return sparse.csr_array((values[used], columns, ends.astype(np.int32)), shape=shape)
