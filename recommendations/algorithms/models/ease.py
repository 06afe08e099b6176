"""EASE: a linear autoencoder in closed form, pruned to its strongest weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from scipy import linalg

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Interactions, Matrix
from recommendations.algorithms.data.topk import blocks, prune_dense, scatter, stack
from recommendations.algorithms.models.protocol import FactorMatrix, ItemMatrix, PairMatrix
from recommendations.algorithms.training_options import TrainingOptions

InverseRows = Callable[[slice], FloatArray]
# Up to so many items X'X is kept as long as the interactions live, 64 MB at most, for a search over l2.
KEPT_ITEMS = 4_000
_grams: WeakKeyDictionary[Interactions, FloatArray] = WeakKeyDictionary()


@dataclass(frozen=True)
class EASE:
    """B[i, j] = -P[i, j] / P[j, j] with P = (X'X + l2 I)^-1 and a zero diagonal; X is users x items.

    Steck 2019, "Embarrassingly shallow autoencoders for sparse data". Where users are fewer than items,
    P comes from the users x users side (Woodbury's identity), l2 P = I - X'(XX' + l2 I)^-1 X. That is a product of
    factors, one per user, and is kept as such where there are few; else it is computed block by block, and nothing of
    the size items x items is ever dense. Of a catalogue too large for either only the most chosen items take part.
    """

    l2: float = 300.0
    name: str = "ease"
    family: str = "item_item"
    half_lives: tuple[float, ...] = (2.0, 5.0, 12.0, np.inf)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return True: of a large catalogue the most chosen items take part."""
        return True

    def fit(self, interactions: Interactions, options: TrainingOptions) -> PairMatrix:
        """Solve on the smaller side; keep factors where users are few, else the strongest weights of each row."""
        matrix = interactions.matrix()
        matrix = matrix[np.diff(matrix.indptr) > 0]
        users = matrix.shape[0]
        if users <= options.max_rank and users < interactions.item_count:
            usable = interactions.most_chosen(options.max_entries // users)
            return self._factored(matrix[:, usable], usable, interactions.item_count)
        usable = interactions.most_chosen(options.max_dense_items)
        matrix = matrix[:, usable]
        small = users <= min(len(usable), options.max_dense_people)
        rows, diagonal = self._by_people(matrix) if small else self._by_items(interactions, matrix)
        keep = options.neighbours_for(interactions.item_count)
        parts = []
        for block in blocks(len(usable)):
            weights = rows(block)
            weights /= -diagonal[None, :]
            weights[np.arange(len(weights)), np.arange(block.start, block.stop)] = 0.0
            parts.append(prune_dense(weights, keep))
        return ItemMatrix(scatter(stack(parts, len(usable)), usable, interactions.item_count))

    def _factored(self, matrix: Matrix, usable: IntArray, item_count: int) -> FactorMatrix:
        half = self._half(matrix)
        vectors = np.zeros((item_count, len(half)), dtype=np.float32)
        vectors[usable] = half.T
        # The diagonal must be that of the rounded vectors, which makes up for what half precision loses.
        kept = FactorMatrix.from_factors(vectors, np.ones(item_count), np.ones(item_count))
        scale = np.square(np.abs(vectors).max(initial=0.0)) or 1.0
        column_scale = 1.0 / np.maximum(1.0 - scale * np.einsum("ik,ik->i", kept.vectors, kept.vectors), 1e-6)
        return replace(kept, column_scale=column_scale.astype(np.float32))

    def _half(self, matrix: Matrix) -> FloatArray:
        """Return (users, items) H with l2 P = I - H'H."""
        gram = (matrix @ matrix.T).toarray()
        gram[np.diag_indices_from(gram)] += np.float32(self.l2)
        factor = linalg.cholesky(gram, lower=True, overwrite_a=True)
        return np.asarray(linalg.solve_triangular(factor, matrix.toarray(), lower=True, overwrite_b=True))

    def _by_people(self, matrix: Matrix) -> tuple[InverseRows, FloatArray]:
        """Return rows of l2 P and its diagonal from the (users, users) system."""
        half = self._half(matrix)

        def rows(block: slice) -> FloatArray:
            result: FloatArray = -(half[:, block].T @ half)
            result[np.arange(len(result)), np.arange(block.start, block.stop)] += 1.0
            return result

        return rows, 1.0 - np.einsum("ui,ui->i", half, half)

    def _gram(self, interactions: Interactions, matrix: Matrix) -> FloatArray:
        """Return X'X, column by column, for the caller to overwrite."""
        count = matrix.shape[1]
        if (kept := _grams.get(interactions)) is not None and kept.shape == (count, count):
            return kept.copy(order="F")
        transposed = matrix.T.tocsr()
        gram = np.empty((count, count), dtype=np.float32, order="F")
        for block in blocks(count):
            # The matrix is symmetric, so writing columns equals writing rows.
            gram[:, block] = (transposed[block] @ matrix).toarray().T
        if count <= KEPT_ITEMS:
            _grams[interactions] = gram.copy(order="F")
        return gram

    def _by_items(self, interactions: Interactions, matrix: Matrix) -> tuple[InverseRows, FloatArray]:
        """Return rows of P and its diagonal from the (items, items) system, inverted in place."""
        count = matrix.shape[1]
        gram = self._gram(interactions, matrix)
        gram[np.diag_indices(count)] += np.float32(self.l2)
        factor, failed = linalg.lapack.spotrf(gram, lower=1, overwrite_a=1, clean=0)
        inverse, failed_too = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
        if failed or failed_too:
            raise linalg.LinAlgError("X'X + l2 I is not positive definite: raise l2")

        def rows(block: slice) -> FloatArray:
            # Only the lower triangle is filled: left of the diagonal by row, below it by column.
            result = np.array(inverse[block], order="C")
            for offset in range(len(result)):
                row = block.start + offset
                result[offset, row:] = inverse[row:, row]
            return result

        return rows, np.array(np.diagonal(inverse))
