"""The peer of a build: ALS of `implicit` and a ranking for every user, in memory, on one thread."""

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.data.dataset import Interactions
from tests.benchmarks.builds.stopwatch import Stopwatch

FACTORS, ITERATIONS, LENGTH = 64, 15, 100


def fit_and_rank(data: Interactions, timed: Stopwatch) -> None:
    """Fit ALS of `implicit` and rank 100 items for every user."""
    from implicit.als import AlternatingLeastSquares

    ones = np.ones(data.row_count, dtype=np.float32)
    matrix = sparse.csr_matrix((ones, (data.users, data.items)), shape=(data.user_count, data.item_count))
    model = AlternatingLeastSquares(factors=FACTORS, iterations=ITERATIONS, num_threads=1, random_state=1)
    with threadpool_limits(limits=1):
        with timed.measure("peer fit"):
            model.fit(matrix, show_progress=False)
        with timed.measure("peer rank"):
            model.recommend(np.arange(data.user_count), matrix, N=LENGTH)
