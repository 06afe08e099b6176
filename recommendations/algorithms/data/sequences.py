"""Histories as sequences of steps: rows of one moment form one step, so ties have no order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Interactions, Matrix

# A step of more rows is a bulk import, whose order means nothing.
LARGEST_STEP = 50


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of all users, each user's in chronological order.

    Attributes:
        contents: (steps, items), 1 where the step holds the item; empty rows for steps above LARGEST_STEP.
        shares: the same, each row divided by the size of its step.
        users: (steps,) user codes.
    """

    contents: Matrix
    shares: Matrix
    users: NDArray[np.int32]

    @classmethod
    def from_interactions(cls, interactions: Interactions) -> Steps:
        """Return the steps of these interactions.

        Raises:
            ValueError: the interactions have no times.
        """
        if interactions.times is None:
            raise ValueError("steps need times: ask applies_to first")
        users, times, count = interactions.users, interactions.times, interactions.row_count
        first = np.ones(count, dtype=bool)
        first[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
        step = np.cumsum(first) - 1
        size = np.bincount(step) if count else np.zeros(0, dtype=np.int64)
        usable = (size <= LARGEST_STEP)[step]
        shape = (len(size), interactions.item_count)
        where = (step[usable], interactions.items[usable])
        ones = np.ones(int(usable.sum()), dtype=np.float32)
        portions = (1.0 / size[step[usable]]).astype(np.float32)
        return cls(
            contents=sparse.csr_array((ones, where), shape=shape),
            shares=sparse.csr_array((portions, where), shape=shape),
            users=users[first],
        )

    def select_items(self, items: IntArray) -> Steps:
        """Return the same steps with the columns of these items only."""
        return Steps(contents=self.contents[:, items], shares=self.shares[:, items], users=self.users)

    def later(self, decay: FloatArray) -> Matrix:
        """Return (steps, items): the same user's items d steps later, times decay[d - 1], summed over d.

        The items of a step share 1.
        """
        return self._shifted(self.shares, decay, forwards=True)

    def earlier(self, decay: FloatArray) -> Matrix:
        """Return (steps, items): the same user's items d steps earlier, times decay[d - 1], summed over d.

        Each item counts as 1.
        """
        return self._shifted(self.contents, decay, forwards=False)

    def _shifted(self, rows: Matrix, decay: FloatArray, *, forwards: bool) -> Matrix:
        count = len(self.users)
        total = sparse.csr_array(rows.shape, dtype=np.float32)
        for distance, weight in enumerate(decay, start=1):
            if distance >= count:
                break
            first = np.flatnonzero(self.users[distance:] == self.users[:-distance])
            where = (first, first + distance) if forwards else (first + distance, first)
            values = np.full(len(first), weight, dtype=np.float32)
            total = total + sparse.csr_array((values, where), shape=(count, count)) @ rows
        return total


def window_within(window: int, interactions: Interactions, max_pairs: int) -> int:
    """Return the window, shrunk if necessary but not below 1, that covers at most `max_pairs` pairs of rows."""
    return int(np.clip(max_pairs // max(1, interactions.row_count), 1, window))
