"""Choose how the values of events count, on a fold inside the data that is learnt from.

For each type whose setting leaves it open: a small linear autoencoder is fitted on the fold's past with each
candidate's strengths, read with histories of the same strengths, and judged by NDCG@10 of what came after. A way of
counting values is taken only where it is better than none beyond noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.blending.selection import MIN_USERS
from recommendations.algorithms.data.dataset import FloatArray, Interactions, Matrix
from recommendations.algorithms.data.event_values import (
    AUTO,
    LOG,
    NONE,
    THRESHOLD,
    EventValues,
    ValueWeighting,
    fit_weighting,
    strength_factors,
)
from recommendations.algorithms.data.history import RankedHistory, histories_of, weighted_matrix
from recommendations.algorithms.metrics.bootstrap import paired_interval
from recommendations.algorithms.validation.folds import Fold, FoldPart

FoldMaker = Callable[[Interactions], Fold]
# Types that are chosen for, those with the most rows first; the others' values count nothing.
MOST_TYPES = 3
# Users who judge, rows that are looked at, and the most chosen items that the autoencoder knows.
PEOPLE, ROWS, ITEMS = 2_000, 300_000, 1_000
L2 = 300.0
# In rows, where there are times.
HALF_LIFE = 5.0
_TOP = 10


@dataclass(frozen=True, eq=False)
class WeightedInteractions:
    """Interactions whose strengths count values.

    Attributes:
        rules: by type, for those whose values say anything.
        measured: by type, the mean NDCG@10 of each candidate, where the fold chose.
    """

    interactions: Interactions
    rules: dict[str, ValueWeighting]
    measured: dict[str, dict[str, float]]

    def as_json(self) -> dict[str, Any]:
        """Return what an artefact keeps: rules by type, and what chose them."""
        return {
            name: each.as_json() | ({"ndcg@10": self.measured[name]} if name in self.measured else {})
            for name, each in self.rules.items()
        }


def weight_interactions(
    make: Callable[[FloatArray], Interactions],
    *,
    users: NDArray[Any],
    items: NDArray[Any],
    strengths: FloatArray,
    values: EventValues,
    fold_maker: FoldMaker,
) -> WeightedInteractions:
    """Return what `make` makes of the rows' strengths, by what is set and what the fold says of the rest.

    `users` and `items` are the rows' codes, `strengths` what each says by its type alone.
    """

    def made(rules: Mapping[str, ValueWeighting]) -> Interactions:
        return make((strengths * strength_factors(rules, values, users, items)).astype(np.float32))

    rules: dict[str, ValueWeighting] = {}
    measured: dict[str, dict[str, float]] = {}
    kinds = np.bincount(values.kinds, minlength=len(values.names))
    by_rows = [int(kind) for kind in np.argsort(-kinds, kind="stable") if kinds[kind]]
    for kind in by_rows:
        way = values.settings.get(values.names[kind], AUTO)
        if way not in (AUTO, NONE):
            rules[values.names[kind]] = fit_weighting(values, users, items, kind, way)
    for kind in [each for each in by_rows if values.settings.get(values.names[each], AUTO) == AUTO][:MOST_TYPES]:
        name = values.names[kind]
        ways = {way: {**rules, name: fit_weighting(values, users, items, kind, way)} for way in (NONE, LOG, THRESHOLD)}
        candidates = {
            way: partial(made, of_way)
            for way, of_way in ways.items()
            if way == NONE or _differs(of_way[name], kind, values, users, items)
        }
        if len(candidates) > 1:
            way, measured[name] = choose_strength(candidates, fold_maker)
            rules[name] = ways[way][name]
    return WeightedInteractions(made(rules), rules, measured)


def _differs(how: ValueWeighting, kind: int, values: EventValues, users: NDArray[Any], items: NDArray[Any]) -> bool:
    """Tell whether the rule says different things of different pairs."""
    rows = np.flatnonzero(values.kinds == kind)
    found = strength_factors({values.names[kind]: how}, values.select(rows), users[rows], items[rows])
    return bool(found.min() < found.max())


def choose_strength(
    candidates: Mapping[str, Callable[[], Interactions]], fold_maker: FoldMaker
) -> tuple[str, dict[str, float]]:
    """Return the best candidate's name, and the mean NDCG@10 of each that was measured.

    They are made one after the other, so that there is one at a time. The first is what the others must beat. All hold
    the same rows, so that a fold is the same for each. Where too few users can judge, it is the first, and nothing was
    measured.
    """
    (first, *others) = candidates
    with threadpool_limits(limits=1):  # so small, threads would mostly wait for each other
        judged = {name: _judged(make(), fold_maker) for name, make in candidates.items()}
    if len(judged[first]) < MIN_USERS:
        return first, {}
    means = {name: round(float(each.mean()), 6) for name, each in judged.items()}
    confidence = 1 - 0.05 / max(1, len(others))
    better = [name for name in others if paired_interval(judged[name], judged[first], confidence=confidence).low > 0]
    return max(better, key=lambda name: means[name], default=first), means


def _judged(interactions: Interactions, fold_maker: FoldMaker) -> NDArray[np.float64]:
    """Return (judges,) NDCG@10 among the head's items; what else came after stays in the denominators."""
    return np.concatenate([_judged_by(part) for part in fold_maker(_bounded(interactions)).parts])


def _judged_by(part: FoldPart) -> NDArray[np.float64]:
    past, future = part.past.matrix(), part.future.matrix()
    validation_users = np.flatnonzero((np.diff(past.indptr) > 0) & (np.diff(future.indptr) > 0))
    validation_users = validation_users[:: 1 + len(validation_users) // PEOPLE]
    if not len(validation_users):
        return np.empty(0)
    head = _head(past)
    known, wanted = past[validation_users][:, head], future[validation_users][:, head]
    scores = _read(part.past, validation_users)[:, head] @ _autoencoder(past[:, head])
    scores[known.nonzero()] = -np.inf
    return _ndcg(scores, wanted, np.diff(future.indptr)[validation_users])


def _read(past: Interactions, validation_users: NDArray[np.int64]) -> Matrix:
    """Return (judges, items) histories as lists are made from them: what came last counts more, where that is known."""
    all_users = histories_of(past)
    ranked = [RankedHistory.from_history(all_users[user], past.item_count) for user in validation_users.tolist()]
    half_life = np.inf if past.times is None else HALF_LIFE
    return weighted_matrix(ranked, half_life=half_life, item_count=past.item_count)


def _bounded(interactions: Interactions) -> Interactions:
    """Return whole users' rows, about ROWS of them."""
    if interactions.row_count <= ROWS:
        return interactions
    kept = np.random.default_rng(0).random(interactions.user_count) < ROWS / interactions.row_count
    return interactions.select(kept[interactions.users])


def _head(past: Matrix) -> NDArray[np.int64]:
    """Return the most chosen items, ascending."""
    counts = np.bincount(past.indices, minlength=past.shape[1])
    return np.sort(np.argsort(-counts, kind="stable")[:ITEMS])


def _autoencoder(matrix: Matrix) -> FloatArray:
    """Return (items, items): EASE (Steck 2019)."""
    gram = (matrix.T @ matrix).toarray(order="F").astype(np.float32)
    gram[np.diag_indices_from(gram)] += np.float32(L2)
    factor, _ = linalg.lapack.spotrf(gram, lower=1, overwrite_a=1, clean=0)
    lower = np.tril(linalg.lapack.spotri(factor, lower=1, overwrite_c=1)[0])
    diagonal = np.diag(lower)
    weights = -(lower + lower.T) / diagonal
    weights[np.diag_indices_from(weights)] = 0.0
    return np.asarray(weights, dtype=np.float32)


def _ndcg(scores: FloatArray, wanted: Matrix, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (users,) NDCG@10, where `sizes` says how many items each should have found."""
    room = min(_TOP, scores.shape[1])
    best = np.argpartition(-scores, room - 1, axis=1)[:, :room]
    falling = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    hits = np.take_along_axis(wanted.toarray() > 0, np.take_along_axis(best, falling, axis=1), axis=1)
    gains = 1.0 / np.log2(np.arange(2, _TOP + 2))
    ideal = np.cumsum(gains)[np.minimum(sizes, _TOP) - 1]
    return np.asarray((hits @ gains[:room]) / ideal)
