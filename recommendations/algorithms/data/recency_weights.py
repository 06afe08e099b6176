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
