"""Alternating least squares (ALS) on implicit feedback, as an item-to-item matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.data.dataset import FloatArray, Interactions, Matrix
from recommendations.algorithms.models.protocol import FactorMatrix
from recommendations.algorithms.models.svd import leading_vectors
from recommendations.algorithms.training_options import TrainingOptions

# As long as the interactions live, by the number of factors and the limit that chooses the method.
_starts: WeakKeyDictionary[Interactions, dict[tuple[int, int], FloatArray]] = WeakKeyDictionary()


@cache
def _solver() -> Any:
    """Return the library's class; None where its shared library (libgomp.so.1) is missing, as in slim images.

    A system check reports that; the other algorithms do not need it.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415
    except ImportError:
        return None
    return AlternatingLeastSquares


@dataclass(frozen=True)
class ALS:
    """M = Y (Y'Y + l2 I)^-1 Y', Y the items' factors: the linear fold-in of each row of a history.

    Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets", as `implicit` computes it.
    The factorisation begins at the leading singular vectors, so it depends neither on the order of rows nor on names.
    """

    factors: int = 96
    l2: float = 10.0
    alpha: float = 1.0
    iterations: int = 8
    name: str = "als"
    family: str = "item_item"
    half_lives: tuple[float, ...] = (5.0, np.inf)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return whether the data suffices; the cost grows with the interactions, not with the pairs of items."""
        enough = min(interactions.user_count, interactions.item_count) > 2 and _solver() is not None
        return enough and interactions.item_count <= options.max_blocked_items

    def fit(self, interactions: Interactions, options: TrainingOptions) -> FactorMatrix:
        """Factorise, and keep the items' factors times the root of the fold-in: V = Y (Y'Y + l2 I)^-1/2."""
        matrix = interactions.matrix()
        start = self._start(interactions, matrix, options)
        # The confidence in chosen items; the others have 1.
        matrix.data *= np.float32(self.alpha)
        factors = self._factorise(matrix, start, options)
        gram = factors.T @ factors
        gram[np.diag_indices_from(gram)] += np.float32(self.l2)
        # gram = L L', so Y gram^-1 Y' = (L^-1 Y')' (L^-1 Y').
        vectors = linalg.solve_triangular(linalg.cholesky(gram, lower=True), factors.T, lower=True).T
        ones = np.ones(len(vectors), dtype=np.float32)
        return FactorMatrix.from_factors(vectors, ones, ones)

    def _start(self, interactions: Interactions, matrix: Matrix, options: TrainingOptions) -> FloatArray:
        """Return the leading vectors, which a search over confidence and regularisation needs many times."""
        known = _starts.setdefault(interactions, {})
        key = (self.factors, options.max_dense_people)
        if key not in known:
            known[key] = leading_vectors(matrix, self.factors, options)
        return known[key]

    def _factorise(self, matrix: Matrix, start: FloatArray, options: TrainingOptions) -> FloatArray:
        """Return (items, factors); users' factors are solved from the items' first, so only these need a start."""
        solver = _solver()
        if solver is None:
            raise ValueError("als needs the shared library libgomp.so.1: ask applies_to first")
        # The library parallelises over rows itself and asks that BLAS does not.
        with threadpool_limits(limits=1, user_api="blas"):
            model = solver(
                factors=start.shape[1],
                regularization=self.l2,
                iterations=self.iterations,
                num_threads=options.threads,
            )
            model.item_factors = np.array(start, order="C")
            model.user_factors = np.zeros((matrix.shape[0], start.shape[1]), dtype=np.float32)
            model.fit(sparse.csr_matrix(matrix), show_progress=False)
        return np.asarray(model.item_factors, dtype=np.float32)
