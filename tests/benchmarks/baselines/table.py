"""The data that a baseline may learn from, and the people whom it is judged on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.validation.splitting import Rows, Split

Matrix = Any  # scipy ships no types; a csr_array of float32
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Scores of some people over all items, higher is better.
Model = Callable[[Ints], NDArray[Any]]

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Log(Rows):
    """Raw columns in file order, with what each row is worth: play counts or ratings, None where there is no such
    column."""

    amounts: NDArray[Any] | None = None

    def select(self, rows: NDArray[np.bool_]) -> Log:
        return Log(
            self.users[rows],
            self.items[rows],
            None if self.times is None else self.times[rows],
            amounts=None if self.amounts is None else self.amounts[rows],
        )


_DISCOUNTS = 1.0 / np.log2(np.arange(2, 12))


@dataclass(frozen=True, eq=False)
class Table:
    """Each pair of person and item once, with its latest time and its largest value, ordered by person and time.

    Attributes:
        users, items: (rows,) codes; ids are sorted as text.
        times: (rows,) seconds, None without times.
        values: (rows,) such as play counts, None where all are alike.
    """

    users: Ints
    items: Ints
    times: Floats | None
    values: Floats | None
    user_count: int
    item_count: int

    @classmethod
    def of(cls, users: Ints, items: Ints, times: Floats | None, values: Floats | None, shape: tuple[int, int]) -> Table:
        when = np.zeros(len(users)) if times is None else times
        order = np.lexsort((when, items, users))
        last = np.append((np.diff(users[order]) != 0) | (np.diff(items[order]) != 0), True)
        largest = None
        if values is not None and len(values):
            starts = np.append(0, np.flatnonzero(last)[:-1] + 1)
            largest = np.maximum.reduceat(values[order], starts)
        kept = order[last]
        # Of one moment, the order of the file.
        again = np.lexsort((kept, when[kept], users[kept]))
        kept = kept[again]
        return cls(
            users=users[kept],
            items=items[kept],
            times=None if times is None else times[kept],
            values=None if largest is None else largest[again],
            user_count=shape[0],
            item_count=shape[1],
        )

    def csr(self, data: NDArray[Any] | None = None) -> Matrix:
        """Return people x items of these (rows,) numbers, ones without."""
        said = np.ones(len(self.users)) if data is None else data
        shape = (self.user_count, self.item_count)
        return sparse.csr_array((said.astype(np.float32), (self.users, self.items)), shape=shape)

    @cached_property
    def matrix(self) -> Matrix:
        return self.csr()

    @cached_property
    def starts(self) -> Ints:
        return np.searchsorted(self.users, np.arange(self.user_count + 1)).astype(np.int64)

    @cached_property
    def ranks(self) -> Ints:
        """(rows,) 0 for a person's latest row, 1 for the one before it."""
        return self.starts[self.users + 1] - 1 - np.arange(len(self.users))

    def strengths(self, kind: str) -> NDArray[Any] | None:
        """Return (rows,) what rows weigh: all alike ("none"), or the logarithm of values with a mean of 1 ("log")."""
        if kind == "none" or self.values is None:
            return None
        said = np.log1p(np.maximum(self.values, 0.0))
        return np.asarray(said / max(1e-9, said.mean()))

    def history(self, half_life: float) -> Matrix:
        """Return people x items in which a row weighs 2 ^ (-rank / half-life); all weigh 1 without times."""
        if self.times is None or np.isinf(half_life):
            return self.matrix
        return self.csr(np.exp2(-self.ranks / half_life))


@dataclass(frozen=True, eq=False)
class Judged:
    """People, and which of the table's items they chose afterwards.

    Attributes:
        people: (judges,) codes of the table.
        relevant: judges x items.
        wanted: (judges,) how many items they chose, those included that the table does not know.
    """

    people: Ints
    relevant: Matrix
    wanted: Ints

    def some(self, most: int, seed: int) -> Judged:
        """Return as many of them, drawn."""
        if len(self.people) <= most:
            return self
        drawn = np.sort(np.random.default_rng(seed).choice(len(self.people), most, replace=False))
        return Judged(self.people[drawn], self.relevant[drawn], self.wanted[drawn])

    def ndcg(self, table: Table, model: Model) -> Floats:
        """Return (judges,) NDCG@10 over all items that the person does not have."""
        found = np.zeros(len(self.people))
        for begin in range(0, len(self.people), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            scores = np.array(model(self.people[part]), dtype=np.float32)
            own = table.matrix[self.people[part]].tocoo()
            scores[own.row, own.col] = -np.inf
            room = min(10, scores.shape[1])
            best = np.argpartition(-scores, room - 1, axis=1)[:, :room]
            order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
            best = np.take_along_axis(best, order, axis=1)
            hits = np.take_along_axis(self.relevant[part].toarray() > 0, best, axis=1)
            hits &= np.isfinite(np.take_along_axis(scores, best, axis=1))
            ideal = np.cumsum(_DISCOUNTS)[np.minimum(10, self.wanted[part]) - 1]
            found[part] = (hits * _DISCOUNTS[:room]).sum(axis=1) / ideal
        return found


def tables(rows: Log, parts: Split) -> tuple[Table, Judged]:
    """Return what may be learnt from, and the people of the test part that it knows, sorted by id."""
    user_ids, users = np.unique(rows.users[parts.train].astype(str), return_inverse=True)
    item_ids, items = np.unique(rows.items[parts.train].astype(str), return_inverse=True)
    train = rows.select(parts.train)
    shape = (len(user_ids), len(item_ids))
    table = Table.of(users.astype(np.int64), items.astype(np.int64), train.times, train.amounts, shape)
    return table, _judged(rows, parts, user_ids, item_ids)


def _judged(rows: Log, parts: Split, user_ids: NDArray[Any], item_ids: NDArray[Any]) -> Judged:
    pairs = np.unique(np.stack([rows.users[parts.test].astype(str), rows.items[parts.test].astype(str)]), axis=1)
    place = np.searchsorted(user_ids, pairs[0])
    known = user_ids[np.minimum(place, len(user_ids) - 1)] == pairs[0]
    people, judge = np.unique(place[known], return_inverse=True)
    wanted = np.bincount(judge, minlength=len(people))
    item = np.searchsorted(item_ids, pairs[1][known])
    seen = item_ids[np.minimum(item, len(item_ids) - 1)] == pairs[1][known]
    cells = (np.ones(int(seen.sum()), dtype=np.float32), (judge[seen], item[seen]))
    return Judged(people, sparse.csr_array(cells, shape=(len(people), len(item_ids))), wanted)
