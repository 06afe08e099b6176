"""User kNN: the cosine of the items that users chose, where rare and recent choices count most.

    weight(u, i) = strength * 2 ** (-rank / HALF_LIFE) * log(1 + users / users of i)

`rank` counts back from a user's latest row. A user is described by their FEATURES heaviest items, scaled to length
1; an item of one user only is left out, as it cannot be shared. Each item has a champion list of the POSTINGS users
with the largest weights, so time grows with the users and not with their square; cosines are exact where no item has
more users.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Interactions, Matrix
from recommendations.algorithms.data.recency_weights import NEGLIGIBLE_HALVINGS
from recommendations.algorithms.data.topk import blocks

FEATURES = 50
POSTINGS = 500
HALF_LIFE = 20.0
# The least cosine of similar users; one popular item in common amounts to less.
MIN_SIMILARITY = 0.01


@dataclass(frozen=True, eq=False)
class SimilarUsers:
    """The users similar to one user, most similar first: codes into `user_ids`, and cosines in (0, 1]."""

    person: int
    others: IntArray
    scores: FloatArray


def similar_users(
    interactions: Interactions, *, keep: int, features: int = FEATURES, postings: int = POSTINGS
) -> Iterator[SimilarUsers]:
    """Yield each user with interactions, in the order of their codes, with at most `keep` similar users.

    Memory: two sparse matrices of at most users x features entries, and one block of a product.
    """
    users = _described(interactions, features)
    proposals = _champions(users, postings)
    rows = np.bincount(interactions.users, minlength=interactions.user_count)
    for block in blocks(interactions.user_count):
        product = sparse.csr_array(users[block] @ proposals)
        for row, user in enumerate(range(block.start, block.stop)):
            if rows[user]:
                span = slice(product.indptr[row], product.indptr[row + 1])
                yield _nearest(user, product.indices[span], product.data[span], keep)


def _nearest(user: int, others: IntArray, scores: FloatArray, keep: int) -> SimilarUsers:
    wanted = (others != user) & (scores >= MIN_SIMILARITY)
    others, scores = others[wanted], np.minimum(scores[wanted], 1.0)
    if len(others) > keep:  # with all that tie with the last, for a deterministic order
        last = np.partition(scores, len(scores) - keep)[len(scores) - keep]
        others, scores = others[scores >= last], scores[scores >= last]
    order = np.lexsort((others, -scores))[:keep]
    return SimilarUsers(user, others[order].astype(np.int32), scores[order].astype(np.float32))


def _described(interactions: Interactions, features: int) -> Matrix:
    """Return (users, items) with rows of length 1, or 0 for users who share no item with another."""
    counts = interactions.item_counts()
    rarity = np.log1p(interactions.user_count / np.maximum(counts, 1))
    halvings = _ranks(interactions) / HALF_LIFE
    recency = np.where(halvings > NEGLIGIBLE_HALVINGS, 0.0, np.exp2(-halvings))
    weights = interactions.row_strengths() * recency * rarity[interactions.items]
    shared = np.flatnonzero((counts[interactions.items] > 1) & (weights > 0))
    users, items, weights = interactions.users[shared], interactions.items[shared], weights[shared]
    strongest = _strongest(users, items, weights, features)
    users, items, weights = users[strongest], items[strongest], weights[strongest]
    lengths = np.sqrt(np.bincount(users, weights=weights**2, minlength=interactions.user_count))
    values = (weights / lengths[users]).astype(np.float32)
    shape = (interactions.user_count, interactions.item_count)
    return sparse.csr_array((values, (users, items)), shape=shape)


def _ranks(interactions: Interactions) -> NDArray[np.float64]:
    """Return each row's rank from its user's latest, which is 0; tied rows share the mean of theirs."""
    count = interactions.row_count
    if interactions.times is None or count == 0:
        return np.zeros(count)
    users, times = interactions.users, interactions.times
    first = np.flatnonzero(np.concatenate(([True], (users[1:] != users[:-1]) | (times[1:] != times[:-1]))))
    size = np.diff(np.append(first, count))
    places = np.repeat(first + (size - 1) / 2, size)
    latest = places[interactions.starts()[users + 1] - 1]
    return np.asarray(latest - places)


def _champions(people: Matrix, postings: int) -> Matrix:
    """Return (items, users): each item's users with the largest weights."""
    found = sparse.coo_array(people)
    users, items = found.coords
    kept = _strongest(items, users, found.data, postings)
    return sparse.csr_array(
        (found.data[kept], (items[kept], users[kept])), shape=(people.shape[1], people.shape[0]), dtype=np.float32
    )


def _strongest(
    groups: NDArray[np.int32], members: NDArray[np.int32], values: NDArray[np.floating], keep: int
) -> NDArray[np.int64]:
    """Return the positions of the `keep` largest values of each group; of equal ones those with the lowest member."""
    if not len(groups):
        return np.empty(0, dtype=np.int64)
    order = np.lexsort((members, -values, groups))
    ordered = groups[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    place = np.arange(len(ordered)) - np.repeat(first, np.diff(np.append(first, len(ordered))))
    return np.asarray(order[place < keep])
