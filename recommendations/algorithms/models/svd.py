"""Truncated SVD of a sparse matrix, by the cheaper of two methods."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, svds

from recommendations.algorithms.data.dataset import FloatArray, Matrix
from recommendations.algorithms.training_options import TrainingOptions

# Singular values below this share of the largest are noise.
NEGLIGIBLE = 1e-4
# Up to so many users the dense decomposition is the cheaper one: it takes the cube of their number, and with 3,000 ten
# times as long as the other.
DENSE_USERS = 1_000


def leading_vectors(matrix: Matrix, rank: int, options: TrainingOptions) -> FloatArray:
    """Return (columns, rank or fewer) right singular vectors, at most a quarter of the smaller side: a filter that lets
    nearly everything pass does not discriminate.
    """
    users, items = matrix.shape
    rank = min(rank, max(2, min(users, items) // 4))
    if users <= min(DENSE_USERS, options.max_dense_people):
        return _dense(matrix, rank)
    start = np.ones(min(users, items), dtype=np.float32)
    try:
        _, values, right = svds(matrix, k=rank, v0=start)
    except ArpackNoConvergence:
        if users > options.max_dense_people:
            raise
        return _dense(matrix, rank)
    used = values > NEGLIGIBLE * values.max(initial=0.0)
    return np.asarray(right[used].T, dtype=np.float32)


def _dense(matrix: Matrix, rank: int) -> FloatArray:
    values, left = np.linalg.eigh((matrix @ matrix.T).toarray())
    values, left = np.sqrt(np.maximum(values[-rank:], 0)), left[:, -rank:]
    used = values > NEGLIGIBLE * values.max(initial=0.0)
    return np.asarray((matrix.T @ left[:, used]) / values[used], dtype=np.float32)
