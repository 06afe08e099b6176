"""Blend weights: a convex fit of standardised scores to the users' next choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from recommendations.algorithms.data.dataset import Array

# The cut-off of NDCG@10, and the discount of a hit at each position.
CUTOFF = 10
DISCOUNTS = 1.0 / np.log2(np.arange(2, CUTOFF + 2))


@dataclass(frozen=True, eq=False)
class CandidateSets:
    """Candidates of all validation users, one user after the other.

    Attributes:
        features: (candidates, scorers) standardised scores.
        chosen: (candidates,) 1 where the user chose the item afterwards, else 0.
        starts: (users,) where each user's candidates start; each user has one chosen candidate or more.
        items: (candidates,) item indices.
        history_sizes: (users,) rows of each user's history.
        relevant: (users,) how many items each user chose afterwards, candidates or not.
    """

    features: Array
    chosen: Array
    starts: NDArray[np.int64]
    items: NDArray[np.int64]
    history_sizes: tuple[int, ...]
    relevant: tuple[int, ...]

    @property
    def ends(self) -> NDArray[np.int64]:
        """Return (users,) where each user's candidates end."""
        return np.append(self.starts[1:], len(self.chosen))

    @classmethod
    def concatenate(cls, parts: Sequence[CandidateSets]) -> CandidateSets:
        """Return the candidates of several groups of users, one after the other."""
        first = np.cumsum([0, *(len(part.chosen) for part in parts)])
        return cls(
            features=np.concatenate([part.features for part in parts]),
            chosen=np.concatenate([part.chosen for part in parts]),
            starts=np.concatenate([part.starts + start for part, start in zip(parts, first, strict=False)]),
            items=np.concatenate([part.items for part in parts]),
            history_sizes=tuple(size for part in parts for size in part.history_sizes),
            relevant=tuple(count for part in parts for count in part.relevant),
        )

    def for_users(self, places: NDArray[np.int64]) -> CandidateSets:
        """Return the candidates of the users at these positions only."""
        parts = [np.arange(self.starts[place], self.ends[place]) for place in places]
        rows = np.concatenate([*parts, np.empty(0, dtype=np.int64)])
        sizes = np.array([len(part) for part in parts], dtype=np.int64)
        return CandidateSets(
            features=self.features[rows],
            chosen=self.chosen[rows],
            starts=np.cumsum(sizes) - sizes,
            items=self.items[rows],
            history_sizes=tuple(self.history_sizes[place] for place in places),
            relevant=tuple(self.relevant[place] for place in places),
        )

    def ndcg(self, scores: Array) -> Array:
        """Return (users,) NDCG@10 of ranking each user's candidates by (candidates,) `scores`."""
        rows, valid, ideal = self._padded
        padded = np.where(valid, scores[rows], -np.inf)
        room = min(CUTOFF, padded.shape[1])
        # The cut-off first, and only what reaches it is sorted: of equal scores the first candidate comes first.
        cuts = np.partition(padded, padded.shape[1] - room, axis=1)[:, padded.shape[1] - room]
        users, places = np.nonzero((padded >= cuts[:, None]) & valid)
        order = np.lexsort((places, -padded[users, places], users))
        users, places = users[order], places[order]
        rank = np.arange(len(users)) - np.searchsorted(users, users)
        first = rank < room
        gains = DISCOUNTS[rank[first]] * self.chosen[rows[users[first], places[first]]]
        return np.asarray(np.bincount(users[first], gains, minlength=len(padded)) / ideal)

    def ndcg_of_user(self, user: int, ranked: NDArray[np.int64]) -> float:
        """Return NDCG@10 of one user's candidates in this order, by their positions among the user's."""
        hits = self.chosen[self.starts[user] + ranked[:CUTOFF]]
        return float(hits @ DISCOUNTS[: len(hits)] / self._padded[2][user])

    @cached_property
    def _padded(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], Array]:
        """Return (users, most candidates) rows of the candidates, the mask of real ones, and (users,) ideal DCG.

        Items that are no candidates cannot be hit, yet count in the ideal.
        """
        sizes = self.ends - self.starts
        steps = np.arange(max(1, int(sizes.max(initial=1))))
        valid = steps[None, :] < sizes[:, None]
        rows = np.where(valid, self.starts[:, None] + steps[None, :], 0)
        relevant = np.minimum(CUTOFF, np.array(self.relevant, dtype=np.int64))
        return rows, valid, np.cumsum(DISCOUNTS)[relevant - 1]


def fit_weights(sets: CandidateSets, *, l1: float, smallest_weight: float) -> Array:
    """Minimise the mean over users of the listwise softmax loss plus l1 * sum(weights), weights >= 0.

    loss(user) = logsumexp(s) - mean of s over the chosen, s = features @ weights: convex in the weights
    (ListNet's top-one loss, Cao et al. 2007). Weights below `smallest_weight` of their sum are dropped and the
    rest is fitted again.

    Returns:
        (scorers,) weights that sum to 1, or zeros when nothing helps.
    """
    count = sets.features.shape[1]
    weights = _minimise(sets, np.ones(count, dtype=bool), l1)
    total = weights.sum()
    if total <= 0:
        return np.zeros(count)
    kept = weights >= smallest_weight * total
    if not kept.all():
        weights = _minimise(sets, kept, l1)
    return np.asarray(weights / weights.sum())


def _minimise(sets: CandidateSets, kept: NDArray[np.bool_], l1: float) -> Array:
    features = np.ascontiguousarray(sets.features[:, kept])
    users = len(sets.starts)
    sizes = np.diff(np.append(sets.starts, len(features)))
    chosen_share = sets.chosen / np.repeat(np.add.reduceat(sets.chosen, sets.starts), sizes)
    target = features.T @ chosen_share / users

    def loss(weights: Array) -> tuple[float, Array]:
        scores = features @ weights
        highest = np.maximum.reduceat(scores, sets.starts)
        raised = np.exp(scores - np.repeat(highest, sizes))
        sums = np.add.reduceat(raised, sets.starts)
        value = float((highest + np.log(sums)).mean() - target @ weights + l1 * weights.sum())
        softmax = raised / np.repeat(sums, sizes)
        return value, features.T @ softmax / users - target + l1

    start = np.full(int(kept.sum()), 0.1)
    result = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    weights = np.zeros(len(kept))
    weights[kept] = result.x
    return weights
