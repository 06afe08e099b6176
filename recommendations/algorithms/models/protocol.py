"""The protocol of algorithms, and the forms of what they fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import FloatArray, Interactions, Matrix
from recommendations.algorithms.training_options import TrainingOptions

# Rows of factors that stay in the cache.
_TILE = 512


@dataclass(frozen=True, eq=False)
class ItemVector:
    """One score per item, the same for all users: (items,)."""

    values: FloatArray


@dataclass(frozen=True, eq=False)
class MatrixUpdate:
    """Changes of a matrix since it was fitted.

    Attributes:
        replaced: (items,) marks the items whose rows and columns are obsolete.
        added: (items, items) entries that replace them, and those of new items.
    """

    replaced: NDArray[np.bool_]
    added: Matrix


@dataclass(frozen=True, eq=False)
class ItemMatrix:
    """(items, items), sparse: row i holds the scores that choosing i gives to the other items, negative ones included.

    A user's scores are the sum of the rows of their history, each times its recency weight. `values` may be mapped from
    a file that processes share; `changes` are separate.
    """

    values: Matrix
    changes: MatrixUpdate | None = None

    @property
    def item_count(self) -> int:
        return int(self.values.shape[0])

    def score(self, weights: Matrix) -> Matrix:
        """Return weights (users, items) times this matrix, sparse."""
        if self.changes is None:
            return weights @ self.values
        current = sparse.csr_array(weights, copy=True)
        current.data[self.changes.replaced[current.indices]] = 0
        old = current @ self.values
        old.data[self.changes.replaced[old.indices]] = 0
        return sparse.csr_array(old + weights @ self.changes.added)

    def rows(self, items: NDArray[np.integer]) -> Matrix:
        """Return the rows of these items, in this order."""
        if self.changes is None:
            return self.values[items]
        shape = (len(items), self.values.shape[0])
        ones = np.ones(len(items), dtype=np.float32)
        return self.score(sparse.csr_array((ones, items, np.arange(len(items) + 1)), shape=shape))

    def dense_rows(self, items: NDArray[np.integer]) -> FloatArray:
        """Return (items, all items): the whole rows of these items."""
        return np.asarray(self.rows(items).toarray())

    def submatrix(self, items: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return (items, others): the entries of these rows and columns."""
        found = np.zeros((len(items), len(others)))
        self.add_submatrix(found, items, others, np.ones(len(items)))
        return found

    def add_submatrix(
        self,
        table: NDArray[np.float64],
        items: NDArray[np.integer],
        others: NDArray[np.integer],
        factors: NDArray[np.float64],
    ) -> None:
        """Add to `table` (items, others) the entries of these rows and columns, each row times its factor."""
        if not len(items) or not len(others):
            return
        if self.changes is None:
            (indptr, indices, data), places = self._arrays, items
        else:
            rows = self.rows(items)
            (indptr, indices, data), places = (rows.indptr, rows.indices, rows.data), np.arange(len(items))
        column_of = np.full(self.item_count, -1, dtype=np.int32)
        column_of[others] = np.arange(len(others), dtype=np.int32)
        # One row after the other, which is quicker than slicing the matrix: a row lies in one piece.
        starts, ends = indptr[places], indptr[places + 1]
        pieces = [indices[one:end] for one, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        column = column_of.take(np.concatenate(pieces), mode="clip")
        wanted = np.flatnonzero(column >= 0)
        lengths = ends - starts
        row = np.repeat(np.arange(len(items)), lengths).take(wanted, mode="clip")
        at = wanted + (ends - np.cumsum(lengths)).take(row, mode="clip")
        values = data.take(at, mode="clip") * factors.take(row, mode="clip")
        cells = row * len(others) + column.take(wanted, mode="clip")
        # Each cell once: counting with weights is the quickest way to scatter.
        table += np.bincount(cells, values, minlength=table.size).reshape(table.shape)

    @cached_property
    def _arrays(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return row ends, columns and values, as plain arrays: a slice of a mapped one takes ten times as long."""
        return np.asarray(self.values.indptr), np.asarray(self.values.indices), np.asarray(self.values.data)


@dataclass(frozen=True, eq=False)
class FactorMatrix:
    """(items, items) as a product of factors, M = diag(row_scale) V V' diag(column_scale) without its diagonal.

    It has the meaning of an `ItemMatrix` with no entry left out, and stores `rank` numbers per item.

    Attributes:
        vectors: (known items, rank) V, float32 that half precision holds exactly. It may be mapped from a file.
        row_scale, column_scale: (known items,).
        item_count: items beyond the known ones have scores of 0.
    """

    vectors: FloatArray
    row_scale: FloatArray
    column_scale: FloatArray
    item_count: int

    @classmethod
    def from_factors(cls, vectors: NDArray[Any], row_scale: NDArray[Any], column_scale: NDArray[Any]) -> FactorMatrix:
        """Return the factors in the form that saving and loading preserve."""
        largest = float(np.abs(vectors).max(initial=0.0)) or 1.0
        rounded = (vectors / largest).astype(np.float16).astype(np.float32)
        rows, columns = (np.ascontiguousarray(each, dtype=np.float32) for each in (row_scale, column_scale))
        return cls(np.ascontiguousarray(rounded), rows, columns, len(vectors))

    def extend(self, item_count: int) -> FactorMatrix:
        """Return the matrix over more items; shares the factors."""
        return replace(self, item_count=item_count)

    def scatter(self, places: NDArray[np.integer], count: int) -> FactorMatrix:
        """Return the matrix over `count` items: the present ones move to these indices."""
        vectors = np.zeros((count, self.vectors.shape[1]), dtype=np.float32)
        scales = np.zeros((2, count), dtype=np.float32)
        vectors[places] = self.vectors
        scales[:, places] = self.row_scale, self.column_scale
        return FactorMatrix(vectors, scales[0], scales[1], count)

    def score(self, weights: Matrix) -> FloatArray:
        """Return weights (users, items) times this matrix: (users, items), dense.

        A user's row does not depend on the others: each is a product of its own, since products of other shapes may
        add up in another order.
        """
        known, folded = self._folded(weights)
        found = np.zeros((known.shape[0], self.item_count), dtype=np.float32)
        # In tiles that stay in the processor's cache, for all users in turn: the factors are read once.
        for start in range(0, len(self.vectors), _TILE):
            tile = self.vectors[start : start + _TILE]
            for user, each in enumerate(folded):
                np.dot(tile, each, out=found[user, start : start + len(tile)])
        found[:, : len(self.vectors)] *= self.column_scale
        return self._without_diagonal(found, known)

    def score_batch(self, weights: Matrix) -> FloatArray:
        """Return the same by one product: much faster for many users, equal up to rounding."""
        known, folded = self._folded(weights)
        found = np.zeros((known.shape[0], self.item_count), dtype=np.float32)
        found[:, : len(self.vectors)] = (folded @ self.vectors.T) * self.column_scale
        return self._without_diagonal(found, known)

    def _folded(self, weights: Matrix) -> tuple[Matrix, FloatArray]:
        """Return the weights of the known items, and their (users, rank) fold-in."""
        known = sparse.csr_array(weights)
        if known.shape[1] > len(self.vectors):
            known = known[:, : len(self.vectors)]
        scaled = sparse.csr_array(
            (known.data * self.row_scale[known.indices], known.indices, known.indptr), shape=known.shape
        )
        return known, np.asarray(scaled @ self.vectors, dtype=np.float32)

    def _without_diagonal(self, found: FloatArray, known: Matrix) -> FloatArray:
        user = np.repeat(np.arange(known.shape[0]), np.diff(known.indptr))
        found[user, known.indices] -= known.data * self._diagonal[known.indices]
        return found

    def dense_rows(self, items: NDArray[np.integer]) -> FloatArray:
        """Return (items, all items): the whole rows of these items, equal up to rounding whatever else is asked for.

        One product reads the factors once for all of them.
        """
        known = len(self.vectors)
        rows = np.flatnonzero(items < known)
        of = items[rows]
        found = np.zeros((len(items), self.item_count), dtype=np.float32)
        found[rows, :known] = (self.vectors[of] * self.row_scale[of][:, None]) @ self.vectors.T * self.column_scale
        found[rows, of] = 0.0
        return found

    def submatrix(self, items: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return (items, others): the entries of these rows and columns."""
        found = np.zeros((len(items), len(others)))
        rows, columns = np.flatnonzero(items < len(self.vectors)), np.flatnonzero(others < len(self.vectors))
        row_of, column_of = items[rows], others[columns]
        product = self.vectors[row_of] @ self.vectors[column_of].T
        product = product * self.row_scale[row_of][:, None] * self.column_scale[column_of]
        product[row_of[:, None] == column_of[None, :]] = 0.0
        found[np.ix_(rows, columns)] = product
        return found

    def add_submatrix(
        self,
        table: NDArray[np.float64],
        items: NDArray[np.integer],
        others: NDArray[np.integer],
        factors: NDArray[np.float64],
    ) -> None:
        """Add to `table` (items, others) the entries of these rows and columns, each row times its factor."""
        table += self.submatrix(items, others) * factors[:, None]

    @cached_property
    def _diagonal(self) -> FloatArray:
        squares = np.einsum("ik,ik->i", self.vectors, self.vectors)
        return np.asarray(squares * self.row_scale * self.column_scale, dtype=np.float32)


PairMatrix = ItemMatrix | FactorMatrix
Fitted = ItemVector | ItemMatrix | FactorMatrix


class Algorithm(Protocol):
    """One way of scoring items. Stateless: everything learnt is in what `fit` returns."""

    @property
    def name(self) -> str:
        """The key in the registry, in artefacts and in reports."""

    @property
    def family(self) -> str:
        """The key of explanations, which several algorithms may share."""

    @property
    def half_lives(self) -> tuple[float, ...]:
        """Half-lives in rows, `inf` for no decay, of the histories it scores; empty for an `ItemVector`."""

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return whether the data has what this algorithm needs and fits the limits in `options`."""

    def fit(self, interactions: Interactions, options: TrainingOptions) -> Fitted:
        """Fit the interactions; items without a row score 0."""
