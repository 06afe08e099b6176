"""EASE: a linear autoencoder in closed form, pruned to its strongest weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from recommendations.algorithms.dataset import FloatArray, Interactions
from recommendations.algorithms.options import TrainingOptions
from recommendations.algorithms.protocol import ItemMatrix
from recommendations.algorithms.pruning import blocks, prune_dense, stack

InverseRows = Callable[[slice], FloatArray]


@dataclass(frozen=True)
class Ease:
    """B[i, j] = -P[i, j] / P[j, j] with P = (X'X + l2 I)^-1 and a zero diagonal; X is people x items.

    Steck 2019, "Embarrassingly shallow autoencoders for sparse data". Where people are fewer than items,
    P comes from the people x people side (Woodbury's identity), l2 P = I - X'(XX' + l2 I)^-1 X, block by block,
    and nothing of the size items x items is ever dense.
    """

    l2: float = 300.0
    name: str = "ease"
    family: str = "item_item"
    half_lives: tuple[float, ...] = (2.0, 5.0, 12.0, np.inf)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """The product of all pairs of items must be affordable, see max_dense_items."""
        return interactions.item_count <= options.max_dense_items

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemMatrix:
        """Invert on the smaller side, then keep the largest positive weights of each row."""
        people = interactions.user_count
        small = people <= min(interactions.item_count, options.max_dense_people)
        rows, diagonal = (self._by_people if small else self._by_items)(interactions)
        keep = options.neighbours_for(interactions.item_count)
        parts = []
        for block in blocks(interactions.item_count):
            weights = rows(block)
            weights /= -diagonal[None, :]
            weights[np.arange(len(weights)), np.arange(block.start, block.stop)] = 0.0
            parts.append(prune_dense(weights, keep))
        return ItemMatrix(stack(parts, interactions.item_count))

    def _by_people(self, interactions: Interactions) -> tuple[InverseRows, FloatArray]:
        """Return rows of l2 P and its diagonal from the (people, people) system."""
        dense = interactions.matrix().toarray()
        gram = dense @ dense.T
        gram[np.diag_indices_from(gram)] += np.float32(self.l2)
        factor = linalg.cholesky(gram, lower=True, overwrite_a=True)
        half = linalg.solve_triangular(factor, dense, lower=True, overwrite_b=True)

        def rows(block: slice) -> FloatArray:
            result: FloatArray = -(half[:, block].T @ half)
            result[np.arange(len(result)), np.arange(block.start, block.stop)] += 1.0
            return result

        return rows, 1.0 - np.einsum("ui,ui->i", half, half)

    def _by_items(self, interactions: Interactions) -> tuple[InverseRows, FloatArray]:
        """Return rows of P and its diagonal from the (items, items) system, inverted in place."""
        matrix = interactions.matrix()
        transposed = matrix.T.tocsr()
        count = interactions.item_count
        gram = np.empty((count, count), dtype=np.float32, order="F")
        for block in blocks(count):
            # The matrix is symmetric, so writing columns equals writing rows.
            gram[:, block] = (transposed[block] @ matrix).toarray().T
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
