"""Recency in rows: ranks from a user's latest row back, and the weights that follow from them.

Rows tied in time share the mean of their ranks, so nothing depends on the order inside a tie.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray, TimeArray

# A row is left out once its weight falls below 2 ** -NEGLIGIBLE_HALVINGS.
NEGLIGIBLE_HALVINGS = 8.0


def ranks_from_the_end(times: TimeArray) -> NDArray[np.float64]:
    """Return each row's rank, 0 for the latest; `times` ascend and belong to one user."""
    count = len(times)
    if count == 0:
        return np.empty(0)
    first = np.flatnonzero(np.concatenate(([True], times[1:] != times[:-1])))
    size = np.diff(np.append(first, count))
    mean_position = first + (size - 1) / 2
    return np.asarray(count - 1 - np.repeat(mean_position, size))


def weights(ranks: NDArray[np.float64], half_life: float) -> FloatArray:
    """Return 2 ** (-rank / half_life), 0 where negligible; an infinite half-life weighs every row 1.

    The latest row (or tie) always weighs 1, however large the tie.
    """
    if len(ranks) == 0 or np.isinf(half_life):
        return np.ones(len(ranks), dtype=np.float32)
    halvings = (ranks - ranks.min()) / half_life
    return np.where(halvings > NEGLIGIBLE_HALVINGS, 0.0, np.exp2(-halvings)).astype(np.float32)


def ranks_from_each_end(users: NDArray[np.integer], times: TimeArray) -> NDArray[np.float64]:
    """Return `ranks_from_the_end` for many users; `times` ascend within each, and each user's rows are together."""
    count = len(times)
    if count == 0:
        return np.empty(0)
    new_user = np.concatenate(([True], users[1:] != users[:-1]))
    first = np.flatnonzero(new_user | np.concatenate(([True], times[1:] != times[:-1])))
    size = np.diff(np.append(first, count))
    starts = np.flatnonzero(new_user)
    last_of_user = np.repeat(np.append(starts[1:], count) - 1, np.diff(np.append(starts, count)))
    return np.asarray(last_of_user - np.repeat(first + (size - 1) / 2, size))


def weights_of_each(ranks: NDArray[np.float64], sizes: NDArray[np.integer], half_life: float) -> FloatArray:
    """Return `weights` for many users, who have so many rows each."""
    if len(ranks) == 0 or np.isinf(half_life):
        return np.ones(len(ranks), dtype=np.float32)
    present = sizes[sizes > 0]
    lowest = np.minimum.reduceat(ranks, np.cumsum(present) - present)
    halvings = (ranks - np.repeat(lowest, present)) / half_life
    return np.where(halvings > NEGLIGIBLE_HALVINGS, 0.0, np.exp2(-halvings)).astype(np.float32)
