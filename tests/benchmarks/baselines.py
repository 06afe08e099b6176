"""The five classics that a blend must not lose to, each as its users would run it, and not as a part of our blend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.dataset import Interactions
from recommendations.algorithms.evaluation.metrics import person_metrics
from recommendations.algorithms.item_item import ItemItem
from recommendations.algorithms.options import TrainingOptions
from recommendations.algorithms.popularity import Popularity
from recommendations.algorithms.recent_popularity import RecentPopularity
from recommendations.algorithms.validation import make_fold

# Scores of one person over all items, given the person's row.
Scorer = Callable[[NDArray[np.int64]], NDArray[np.float32]]
FACTORS = 64
RIDGE = 300.0
DENSE_ITEMS = 10_000


def popularity(data: Interactions, options: TrainingOptions) -> Scorer:
    counts = Popularity().fit(data, options).values
    return lambda people: np.tile(counts, (len(people), 1))


def recent_popularity(data: Interactions, options: TrainingOptions) -> Scorer | None:
    """With the half-life that does best on the validation fold."""
    if data.times is None:
        return None
    fold = make_fold(data, options)
    judged = {person: set(fold.future.items[fold.future.users == person].tolist()) for person in _some(fold.future)}

    def merit(days: int) -> float:
        scores = RecentPopularity(days=days).fit(fold.past, options).values
        return float(np.mean([_ndcg(scores, fold.past, person, wanted) for person, wanted in judged.items()] or [0.0]))

    best = max((2, 7, 30, 60, 365), key=merit)
    scores = RecentPopularity(days=best).fit(data, options).values
    return lambda people: np.tile(scores, (len(people), 1))


def item_knn(data: Interactions, options: TrainingOptions) -> Scorer:
    neighbours, matrix = ItemItem().fit(data, options).values, data.matrix()
    return lambda people: (matrix[people] @ neighbours).toarray()


def ease(data: Interactions, options: TrainingOptions) -> Scorer | None:
    if data.item_count > DENSE_ITEMS:
        return None
    matrix = data.matrix()
    gram = (matrix.T @ matrix).toarray().astype(np.float32)
    gram[np.diag_indices_from(gram)] += RIDGE
    weights = np.linalg.inv(gram)
    weights /= -np.diag(weights)[None, :]
    np.fill_diagonal(weights, 0.0)
    return lambda people: matrix[people] @ weights


def als(data: Interactions, options: TrainingOptions) -> Scorer:
    with threadpool_limits(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(factors=FACTORS, random_state=0, num_threads=options.threads)
        model.fit(sparse.csr_matrix(data.matrix()), show_progress=False)
    return lambda people: model.user_factors[people] @ model.item_factors.T


BASELINES: dict[str, Callable[[Interactions, TrainingOptions], Scorer | None]] = {
    "popularity": popularity,
    "recent popularity": recent_popularity,
    "item-kNN": item_knn,
    "EASE": ease,
    "ALS": als,
}


def values(
    scorer: Scorer, data: Interactions, people: Sequence[int], relevant: Sequence[frozenset[int]]
) -> NDArray[np.float64]:
    """NDCG@10 of each person; nobody gets what they have."""
    found, starts = [], data.starts()
    for begin in range(0, len(people), 256):
        chunk = np.array(people[begin : begin + 256])
        for person, wanted, scores in zip(chunk, relevant[begin : begin + 256], scorer(chunk), strict=True):
            allowed = scores.astype(np.float64)
            allowed[data.items[starts[person] : starts[person + 1]]] = -np.inf
            best = np.argpartition(-allowed, 10)[:10] if len(allowed) > 10 else np.arange(len(allowed))
            found.append(person_metrics(best[np.argsort(-allowed[best], kind="stable")], wanted)["ndcg@10"])
    return np.array(found)


def _some(future: Interactions) -> NDArray[np.int32]:
    people = np.unique(future.users)
    return people[:: max(1, len(people) // 500)]


def _ndcg(scores: NDArray[np.float32], past: Interactions, person: int, wanted: set[int]) -> float:
    allowed = scores.astype(np.float64)
    allowed[past.items[past.users == person]] = -np.inf
    return person_metrics(np.argsort(-allowed, kind="stable")[:10], wanted)["ndcg@10"]
