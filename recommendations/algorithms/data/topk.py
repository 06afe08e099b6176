"""The strongest entries of each row of a matrix, in the form that an artefact stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Matrix

# Rows of a dense product computed at a time.
BLOCK_ROWS = 512
# float16 is exact to 11 bits between 6e-5 and 65504. Every matrix is scaled so that its largest entry is this;
# scores are standardised per user, so the scale of a matrix is arbitrary.
LARGEST_ENTRY = 16384.0


def blocks(count: int) -> Iterable[slice]:
    """Yield slices of at most BLOCK_ROWS that cover range(count)."""
    for start in range(0, count, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, count))


def prune_dense(block: FloatArray, keep: int) -> Matrix:
    """Return the `keep` entries of each row of a dense block with the largest absolute values, signs kept."""
    rows, columns = block.shape
    if columns > keep:
        picked = np.argpartition(np.abs(block), columns - keep, axis=1)[:, columns - keep :]
    else:
        picked = np.broadcast_to(np.arange(columns), (rows, columns))
    values = np.take_along_axis(block, picked, axis=1)
    present = values != 0
    row_of = np.broadcast_to(np.arange(rows)[:, None], picked.shape)
    entries = (values[present], (row_of[present], picked[present]))
    return sparse.csr_array(entries, shape=block.shape, dtype=np.float32)


def sparse_product(left: Matrix, right: Matrix, *, keep: int, threads: int, threshold: float | None = None) -> Matrix:
    """Return the `keep` largest entries above the threshold of each row of left @ right, besides its diagonal.

    The diagonal of a product of normalised matrices is the largest entry of its row, and `stored_form` drops it.
    """
    return sp_matmul_topn(
        sparse.csr_matrix(left), sparse.csr_matrix(right), top_n=keep + 1, threshold=threshold, n_threads=threads
    )


def pruned_product(left: FloatArray, right: FloatArray, keep: int) -> Matrix:
    """Return the `keep` largest positive entries of each row of left @ right off its diagonal, in stored form.

    The product is (items, items) and never exists as a whole.
    """
    parts = []
    for block in blocks(len(left)):
        weights: FloatArray = np.asarray(left[block] @ right, dtype=np.float32)
        weights[np.arange(len(weights)), np.arange(block.start, block.stop)] = 0.0
        parts.append(prune_dense(np.maximum(weights, 0.0), keep))
    return stack(parts, len(left))


def stack(parts: list[Matrix], item_count: int) -> Matrix:
    """Return blocks of rows as one matrix in stored form."""
    if not parts:
        return sparse.csr_array((item_count, item_count), dtype=np.float32)
    return stored_form(sparse.vstack(parts, format="csr"))


def stored_form(matrix: Matrix) -> Matrix:
    """Scale, round to half precision (as float32), drop zeros and sort: saving and loading preserve this form."""
    result = sparse.csr_array(matrix, dtype=np.float32)
    result.setdiag(0.0)
    largest = np.abs(result.data).max(initial=0.0)
    if largest > 0:
        result.data = (result.data * (LARGEST_ENTRY / largest)).astype(np.float16).astype(np.float32)
    result.eliminate_zeros()
    result.sort_indices()
    result.indices = result.indices.astype(np.int32)
    result.indptr = result.indptr.astype(np.int32)
    return result


def scatter(matrix: Matrix, places: IntArray, count: int) -> Matrix:
    """Return the matrix over `count` items: the present ones move to these indices, the others have no entries."""
    entries = matrix.tocoo()
    scattered = sparse.csr_array((entries.data, (places[entries.row], places[entries.col])), shape=(count, count))
    scattered.sort_indices()
    scattered.indices, scattered.indptr = scattered.indices.astype(np.int32), scattered.indptr.astype(np.int32)
    return scattered


def inverse_power(counts: NDArray[Any], exponent: float) -> FloatArray:
    """Return counts ** -exponent, 0 where nothing was counted."""
    safe = np.where(counts > 0, counts, 1).astype(np.float64)
    return np.where(counts > 0, safe**-exponent, 0.0).astype(np.float32)
