"""Weights of a blend: a convex fit of standardised scores to what people chose next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from recommendations.algorithms.data.dataset import Array

# What NDCG@10 looks at, and what a hit at each place counts.
CUTOFF = 10
DISCOUNTS = 1.0 / np.log2(np.arange(2, CUTOFF + 2))


@dataclass(frozen=True, eq=False)
class Choices:
    """Candidates of all validation people, one after the other.

    Attributes:
        features: (candidates, reads) standardised scores.
        chosen: (candidates,) 1 where the person really chose the item afterwards, else 0.
        starts: (people,) where each person's candidates start; each has one chosen candidate or more.
        items: (candidates,) which items they are.
        known: (people,) rows of each person's history.
        wanted: (people,) how many items each person really chose, candidates or not.
    """

    features: Array
    chosen: Array
    starts: NDArray[np.int64]
    items: NDArray[np.int64]
    known: tuple[int, ...]
    wanted: tuple[int, ...]

    @property
    def ends(self) -> NDArray[np.int64]:
        """(people,) where each person's candidates end."""
        return np.append(self.starts[1:], len(self.chosen))

    @classmethod
    def together(cls, parts: Sequence[Choices]) -> Choices:
        """Return the choices of several groups of people, one after the other."""
        first = np.cumsum([0, *(len(part.chosen) for part in parts)])
        return cls(
            features=np.concatenate([part.features for part in parts]),
            chosen=np.concatenate([part.chosen for part in parts]),
            starts=np.concatenate([part.starts + start for part, start in zip(parts, first, strict=False)]),
            items=np.concatenate([part.items for part in parts]),
            known=tuple(each for part in parts for each in part.known),
            wanted=tuple(each for part in parts for each in part.wanted),
        )

    def of_people(self, places: NDArray[np.int64]) -> Choices:
        """Return the candidates of these people only."""
        parts = [np.arange(self.starts[place], self.ends[place]) for place in places]
        rows = np.concatenate([*parts, np.empty(0, dtype=np.int64)])
        sizes = np.array([len(part) for part in parts], dtype=np.int64)
        return Choices(
            features=self.features[rows],
            chosen=self.chosen[rows],
            starts=np.cumsum(sizes) - sizes,
            items=self.items[rows],
            known=tuple(self.known[place] for place in places),
            wanted=tuple(self.wanted[place] for place in places),
        )

    def ndcg(self, scores: Array) -> Array:
        """Return (people,) NDCG@10 of ranking each person's candidates by (candidates,) `scores`."""
        where, valid, ideal = self._side_by_side
        side_by_side = np.where(valid, scores[where], -np.inf)
        best = np.argsort(-side_by_side, axis=1, kind="stable")[:, :CUTOFF]
        hit = np.take_along_axis(np.where(valid, self.chosen[where], 0.0), best, axis=1)
        return np.asarray((hit @ DISCOUNTS[: hit.shape[1]]) / ideal)

    def ndcg_of(self, person: int, ranked: NDArray[np.int64]) -> float:
        """Return NDCG@10 of one person's candidates in this order, by their places among the person's."""
        hit = self.chosen[self.starts[person] + ranked[:CUTOFF]]
        return float(hit @ DISCOUNTS[: len(hit)] / self._side_by_side[2][person])

    @cached_property
    def _side_by_side(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], Array]:
        """(people, most candidates) places of everybody's candidates, which of them there are, and (people,) ideals.

        Items that nobody proposed cannot be hit, yet count in the ideal.
        """
        sizes = self.ends - self.starts
        steps = np.arange(max(1, int(sizes.max(initial=1))))
        valid = steps[None, :] < sizes[:, None]
        where = np.where(valid, self.starts[:, None] + steps[None, :], 0)
        wanted = np.minimum(CUTOFF, np.array(self.wanted, dtype=np.int64))
        return where, valid, np.cumsum(DISCOUNTS)[wanted - 1]


def fit_weights(choices: Choices, *, l1: float, smallest_weight: float) -> Array:
    """Minimise the mean over people of the listwise softmax loss plus l1 * sum(weights), weights >= 0.

    loss(person) = logsumexp(s) - mean of s over the chosen, s = features @ weights: convex in the weights
    (ListNet's top-one loss, Cao et al. 2007). Weights below `smallest_weight` of their sum are dropped and the
    rest is fitted again.

    Returns:
        (reads,) weights that sum to 1, or zeros when nothing helps.
    """
    count = choices.features.shape[1]
    weights = _minimise(choices, np.ones(count, dtype=bool), l1)
    total = weights.sum()
    if total <= 0:
        return np.zeros(count)
    kept = weights >= smallest_weight * total
    if not kept.all():
        weights = _minimise(choices, kept, l1)
    return np.asarray(weights / weights.sum())


def _minimise(choices: Choices, kept: NDArray[np.bool_], l1: float) -> Array:
    features = np.ascontiguousarray(choices.features[:, kept])
    people = len(choices.starts)
    sizes = np.diff(np.append(choices.starts, len(features)))
    chosen_share = choices.chosen / np.repeat(np.add.reduceat(choices.chosen, choices.starts), sizes)
    target = features.T @ chosen_share / people

    def loss(weights: Array) -> tuple[float, Array]:
        scores = features @ weights
        highest = np.maximum.reduceat(scores, choices.starts)
        raised = np.exp(scores - np.repeat(highest, sizes))
        sums = np.add.reduceat(raised, choices.starts)
        value = float((highest + np.log(sums)).mean() - target @ weights + l1 * weights.sum())
        softmax = raised / np.repeat(sums, sizes)
        return value, features.T @ softmax / people - target + l1

    start = np.full(int(kept.sum()), 0.1)
    result = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    weights = np.zeros(len(kept))
    weights[kept] = result.x
    return weights
