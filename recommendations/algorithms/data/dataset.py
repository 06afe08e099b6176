"""Interactions of users with items: the only input of every algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

IntArray = NDArray[np.int32]
Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
TimeArray = NDArray[np.float64]
Matrix = Any  # scipy ships no types; every Matrix here is a scipy.sparse.csr_array of float32
# The number of users who must have rows up to a moment for the data to reach it.
_REACHED_BY = 5


class InvalidInteractions(ValueError):
    """The columns do not form a set of interactions; the message names the column and the remedy."""


@dataclass(frozen=True, eq=False)
class Interactions:
    """Implicit feedback, one row per (user, item), in canonical order.

    Canonical means: ids are sorted as strings and codes are positions in that order; rows are sorted by
    (user, time, item). So everything computed from an `Interactions` is independent of the order in which
    the rows were read.

    A pair that occurs several times is kept once, with its latest time and the strength of its strongest row: the
    algorithms ask whether and how long ago a user chose an item, not how often.

    Attributes:
        users: (rows,) codes into `user_ids`.
        items: (rows,) codes into `item_ids`.
        times: (rows,) seconds since any fixed moment, or None when the order is unknown.
        user_ids, item_ids: sorted and unique; ids without any row are allowed.
        strengths: (rows,) weights with a mean of 1; None where all are equal.
    """

    users: IntArray
    items: IntArray
    times: TimeArray | None
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    strengths: FloatArray | None = None

    @classmethod
    def from_codes(
        cls,
        users: NDArray[Any],
        items: NDArray[Any],
        times: NDArray[Any] | None,
        user_ids: Sequence[str],
        item_ids: Sequence[str],
        strengths: NDArray[Any] | None = None,
    ) -> Interactions:
        """Return raw columns in canonical order.

        Raises:
            InvalidInteractions: columns of unequal length, a code outside its ids, a repeated id, a time that is not
                finite, or a strength that is not positive.
        """
        columns = [("users", np.asarray(users)), ("items", np.asarray(items))]
        seconds = None if times is None else np.asarray(times, dtype=np.float64)
        _check_lengths(columns, seconds)
        new_users = _recode("users", columns[0][1], user_ids)
        new_items = _recode("items", columns[1][1], item_ids)
        keys = (new_items, new_users) if seconds is None else (seconds, new_items, new_users)
        by_pair = np.lexsort(keys)
        last = _last_of_each_pair(new_users[by_pair], new_items[by_pair])
        keep = by_pair[last]
        row_strengths = (
            None if strengths is None else _strongest(np.asarray(strengths, dtype=np.float32), by_pair, last)
        )
        new_users, new_items = new_users[keep], new_items[keep]
        seconds = None if seconds is None else seconds[keep]
        order = np.lexsort((new_items, new_users) if seconds is None else (new_items, seconds, new_users))
        return cls(
            users=new_users[order],
            items=new_items[order],
            times=None if seconds is None else seconds[order],
            user_ids=tuple(sorted(user_ids)),
            item_ids=tuple(sorted(item_ids)),
            strengths=None if row_strengths is None else row_strengths[order],
        )

    @property
    def user_count(self) -> int:
        return len(self.user_ids)

    @property
    def item_count(self) -> int:
        return len(self.item_ids)

    @property
    def row_count(self) -> int:
        return len(self.users)

    def select(self, rows: NDArray[np.bool_]) -> Interactions:
        """Return the rows where `rows` is true; ids and codes stay as they are."""
        return Interactions(
            users=self.users[rows],
            items=self.items[rows],
            times=None if self.times is None else self.times[rows],
            user_ids=self.user_ids,
            item_ids=self.item_ids,
            strengths=None if self.strengths is None else self.strengths[rows],
        )

    def starts(self) -> NDArray[np.int64]:
        """Return (users + 1,) positions: user u owns the rows from starts[u] to starts[u + 1]."""
        return np.searchsorted(self.users, np.arange(self.user_count + 1)).astype(np.int64)

    def item_counts(self) -> NDArray[np.int64]:
        """Return (items,) the number of users who chose each item."""
        return np.bincount(self.items, minlength=self.item_count).astype(np.int64)

    def most_chosen(self, count: int) -> IntArray:
        """Return the indices, ascending, of up to `count` items that most users chose."""
        return np.sort(np.argsort(-self.item_counts(), kind="stable")[:count]).astype(np.int32)

    def end(self) -> float:
        """Return the moment that the rows reach up to, in seconds; 0 without rows or times.

        One wrong clock does not move it: it is the fifth newest of the users' newest rows, or with fewer than nine
        users the one just past the middle.
        """
        if self.times is None or not self.row_count:
            return 0.0
        newest = np.sort(np.maximum.reduceat(self.times, np.flatnonzero(np.diff(self.users, prepend=-1))))[::-1]
        return float(newest[min(_REACHED_BY, len(newest) // 2 + 1) - 1])

    def row_strengths(self) -> FloatArray:
        """Return (rows,) the weight of each row."""
        return np.ones(self.row_count, dtype=np.float32) if self.strengths is None else self.strengths

    def matrix(self) -> Matrix:
        """Return the (users, items) matrix of strengths."""
        values = self.row_strengths()
        shape = (self.user_count, self.item_count)
        return sparse.csr_array((values, (self.users, self.items)), shape=shape)


def _check_lengths(columns: list[tuple[str, NDArray[Any]]], seconds: TimeArray | None) -> None:
    rows = len(columns[0][1])
    if len(columns[1][1]) != rows:
        message = f"users has {rows} rows and items has {len(columns[1][1])}: give columns of equal length"
        raise InvalidInteractions(message)
    if seconds is None:
        return
    if len(seconds) != rows:
        message = f"users has {rows} rows and times has {len(seconds)}: give columns of equal length"
        raise InvalidInteractions(message)
    if not np.isfinite(seconds).all():
        raise InvalidInteractions("times holds a value that is not finite: drop the row or give times=None")


def _recode(column: str, codes: NDArray[Any], ids: Sequence[str]) -> IntArray:
    """Map codes into `ids` to codes into sorted(ids)."""
    if len(set(ids)) != len(ids):
        raise InvalidInteractions(f"the ids of {column} repeat: give each id once")
    if len(codes) and not np.issubdtype(codes.dtype, np.integer):
        raise InvalidInteractions(f"{column} must hold whole numbers, not {codes.dtype}")
    if len(codes) and (codes.min() < 0 or codes.max() >= len(ids)):
        raise InvalidInteractions(f"{column} holds a code outside 0..{len(ids) - 1}: codes are positions in ids")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    new_code = np.empty(len(ids), dtype=np.int32)
    new_code[order] = np.arange(len(ids), dtype=np.int32)
    return new_code[codes.astype(np.int64)]


def _last_of_each_pair(users: IntArray, items: IntArray) -> NDArray[np.bool_]:
    last = np.ones(len(users), dtype=bool)
    last[:-1] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    return last


def _strongest(strengths: FloatArray, by_pair: NDArray[np.int64], last: NDArray[np.bool_]) -> FloatArray | None:
    """Return the strongest row of each pair, scaled to a mean of 1; None where all are alike.

    `last` marks in `by_pair` the last row of each pair.
    """
    if len(strengths) != len(by_pair):
        raise InvalidInteractions(f"there are {len(by_pair)} rows and {len(strengths)} strengths: give one per row")
    if not len(strengths):
        return None
    if not (np.isfinite(strengths) & (strengths > 0)).all():
        raise InvalidInteractions("strengths must be above 0: leave out rows that say nothing or speak against")
    starts = np.append(0, np.flatnonzero(last)[:-1] + 1)
    strongest = np.maximum.reduceat(strengths[by_pair], starts)
    if strongest.min() == strongest.max():
        return None
    return np.asarray(strongest / strongest.mean(), dtype=np.float32)
