"""Weights of a blend: a convex fit of standardised scores to what people chose next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Choices:
    """Candidates of all validation people, one after the other.

    Attributes:
        features: (candidates, reads) standardised scores.
        chosen: (candidates,) 1 where the person really chose the item afterwards, else 0.
        starts: (people,) where each person's candidates start; each has one chosen candidate or more.
    """

    features: Array
    chosen: Array
    starts: NDArray[np.int64]


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
