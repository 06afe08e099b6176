"""What is chosen together: items of one basket, which is what one user chose without a longer pause."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn

PAUSE_SECONDS = 24 * 3600.0
# Of a larger basket the first items count: it is an import or a robot, and would be all users' neighbour.
MAX_BASKET = 50


def basket_associations(
    users: NDArray[np.int64], items: NDArray[np.int64], times: NDArray[np.float64], *, item_count: int, neighbours: int
) -> sparse.csr_array:
    """Return (items, items): b_ij / sqrt(b_i b_j), the largest of each row; no diagonal.

    b counts users: an item that one user had in n baskets weighs 1 / sqrt(n) in each, so that nobody counts more
    than once for an item or a pair, and somebody whose items always go together counts for them as one.
    """
    order = np.lexsort((times, users))
    users, items, times = users[order], items[order], times[order]
    begins = np.ones(len(users), dtype=bool)
    begins[1:] = (users[1:] != users[:-1]) | (times[1:] - times[:-1] > PAUSE_SECONDS)
    baskets = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    kept = np.arange(len(users)) - starts[baskets] < MAX_BASKET if len(users) else begins
    held = sparse.csr_array(
        (np.ones(int(kept.sum()), dtype=np.float32), (baskets[kept], items[kept])),
        shape=(len(starts), item_count),
    )
    held.data[:] = 1.0
    held.data /= np.sqrt(_times_in_baskets(held, users[starts], item_count))
    counts = np.bincount(held.indices, weights=held.data**2, minlength=item_count)
    scale = sparse.diags_array(np.divide(1.0, np.sqrt(counts), out=np.zeros(item_count), where=counts > 0))
    scaled = sparse.csr_matrix((held @ scale).astype(np.float32))
    found = sparse.csr_array(sp_matmul_topn(sparse.csr_matrix(scaled.T), scaled, top_n=neighbours + 1, n_threads=1))
    found.setdiag(0.0)
    found.eliminate_zeros()
    return found


def _times_in_baskets(held: sparse.csr_array, owners: NDArray[np.int64], item_count: int) -> NDArray[np.float32]:
    """Return, for each entry, in how many of its user's baskets the item is."""
    users = np.repeat(owners, np.diff(held.indptr))
    _, place, count = np.unique(users * item_count + held.indices, return_inverse=True, return_counts=True)
    return count[place].astype(np.float32)
