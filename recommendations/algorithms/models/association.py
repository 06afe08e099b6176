"""Items chosen together: association within baskets, the items that a user chose without a longer pause."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn

PAUSE_SECONDS = 24 * 3600.0
# Only the first items of a larger basket count: it is an import or a robot, and would be a neighbour of everything.
MAX_BASKET = 50


def basket_associations(
    users: NDArray[np.int64], items: NDArray[np.int64], times: NDArray[np.float64], *, item_count: int, neighbours: int
) -> sparse.csr_array:
    """Return (items, items): b_ij / sqrt(b_i b_j), the largest of each row; no diagonal.

    b counts users: an item in n baskets of one user weighs 1 / sqrt(n) in each, so that no user counts more than once
    for an item or a pair.
    """
    order = np.lexsort((times, users))
    users, items, times = users[order], items[order], times[order]
    begins = np.ones(len(users), dtype=bool)
    begins[1:] = (users[1:] != users[:-1]) | (times[1:] - times[:-1] > PAUSE_SECONDS)
    baskets = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    kept = np.arange(len(users)) - starts[baskets] < MAX_BASKET if len(users) else begins
    contents = sparse.csr_array(
        (np.ones(int(kept.sum()), dtype=np.float32), (baskets[kept], items[kept])),
        shape=(len(starts), item_count),
    )
    contents.data[:] = 1.0
    contents.data /= np.sqrt(_basket_counts(contents, users[starts], item_count))
    counts = np.bincount(contents.indices, weights=contents.data**2, minlength=item_count)
    scale = sparse.diags_array(np.divide(1.0, np.sqrt(counts), out=np.zeros(item_count), where=counts > 0))
    scaled = sparse.csr_matrix((contents @ scale).astype(np.float32))
    associations = sparse.csr_array(
        sp_matmul_topn(sparse.csr_matrix(scaled.T), scaled, top_n=neighbours + 1, n_threads=1)
    )
    associations.setdiag(0.0)
    associations.eliminate_zeros()
    return associations


def _basket_counts(contents: sparse.csr_array, owners: NDArray[np.int64], item_count: int) -> NDArray[np.float32]:
    """Return, for each entry, the number of its user's baskets that hold the item."""
    users = np.repeat(owners, np.diff(contents.indptr))
    _, place, count = np.unique(users * item_count + contents.indices, return_inverse=True, return_counts=True)
    return count[place].astype(np.float32)
