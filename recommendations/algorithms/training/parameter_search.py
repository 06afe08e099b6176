"""Fits algorithms on the fold's past and searches their hyperparameters.

A regularisation that suits one tenant's data is far off on another's, so every training tries a few values of the
hyperparameters that matter: each algorithm is judged alone, and a value replaces the one before it where the mean NDCG
is higher.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommendations.algorithms.blending.weights import CUTOFF, DISCOUNTS
from recommendations.algorithms.data.dataset import Array, FloatArray
from recommendations.algorithms.data.history import RankedHistory, histories_of, rank_histories
from recommendations.algorithms.inference.candidate_scores import score_tables
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.protocol import Algorithm, Fitted
from recommendations.algorithms.training.hyperparameters import (
    PARAMETERS,
    VARIANTS,
    configured_algorithms,
    with_parameters,
)
from recommendations.algorithms.training.time_budget import TimeBudget
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold, FoldPart, select_validation_users

# Users of each part of the fold that values are judged on; with fewer over all parts the defaults stay.
MAX_USERS = 400
MIN_USERS = 100
# The change in the number of rows after which hyperparameters are searched again.
MAX_GROWTH = 1.25


@dataclass(frozen=True)
class SelectedHyperparameters:
    """Hyperparameters that a training selected, and the data that it selected them on.

    Attributes:
        values: those that differ from the defaults and from the tenant's own.
        fold: the kind of the validation fold.
        rows: the rows of the data.
    """

    values: Mapping[str, float]
    fold: str
    rows: int

    @classmethod
    def from_chosen(cls, chosen: Mapping[str, Any]) -> SelectedHyperparameters | None:
        """Return those in an artefact's `chosen`; None for an artefact from before they were kept."""
        stored = chosen.get("fitted_parameters")
        if stored is None:
            return None
        values = {name: value for name, value in stored["values"].items() if name in PARAMETERS}
        return cls(values, stored["fold"], stored["rows"])

    def is_valid_for(self, fold: Fold, rows: int) -> bool:
        """Return whether this fold and this many rows are nearly the data that the values were selected on."""
        return self.fold == fold.protocol and self.rows <= rows * MAX_GROWTH and rows <= self.rows * MAX_GROWTH


@dataclass
class HyperparameterSearch:
    """A fold with everything that was fitted on the past of each of its parts.

    Attributes:
        fitted: for each part of the fold, by algorithm name.
        parameters: the selected hyperparameters that differ from the options.
    """

    fold: Fold
    options: TrainingOptions
    budget: TimeBudget
    timer: Callable[[], float]
    fitted: list[dict[str, Fitted]]
    parameters: dict[str, float] = field(default_factory=dict)
    _samples: list[tuple[list[RankedHistory], list[frozenset[int]]]] = field(default_factory=list)

    @classmethod
    def on_fold(
        cls, fold: Fold, options: TrainingOptions, budget: TimeBudget, timer: Callable[[], float]
    ) -> HyperparameterSearch:
        """Return a search that has not fitted anything yet."""
        return cls(fold, options, budget, timer, [{} for _ in fold.parts])

    def fit(self, algorithm: Algorithm) -> None:
        """Fit the algorithm on the past of each part and record the time it took."""
        started = self.timer()
        fitted = [algorithm.fit(part.past, self.options) for part in self.fold.parts]
        self.budget.record(algorithm.name, started, times=len(fitted))
        for place, part in enumerate(fitted):
            self.fitted[place][algorithm.name] = part

    def fit_parameters(self, name: str, scorers: Callable[[Algorithm], Sequence[ScorerConfig]]) -> None:
        """Try the variants of an algorithm that has been fitted, and keep the best.

        A variant need not lead by a margin: with a bar of a standard error a fold cannot tell a value from one twice as
        large, and a default that is probably worse would stay.
        """
        if name not in VARIANTS:
            return
        if sum(len(select_validation_users(part, self.options)) for part in self.fold.parts) < MIN_USERS:
            return
        best = float(self._ndcg(name, scorers(self._algorithm(name, {}))).mean())
        selected: Mapping[str, float] = {}
        for direction in VARIANTS[name]:
            for variant in direction:
                if self.options.parameters.keys() & variant.keys() or not self.budget.may_vary():
                    break
                before = [part[name] for part in self.fitted]
                algorithm = self._algorithm(name, variant)
                self.fit(algorithm)
                ndcg = float(self._ndcg(name, scorers(algorithm)).mean())
                if ndcg <= best:
                    for fitted, previous in zip(self.fitted, before, strict=True):
                        fitted[name] = previous
                    break
                best, selected = ndcg, variant
        self.parameters |= selected

    def _algorithm(self, name: str, variant: Mapping[str, float]) -> Algorithm:
        options = with_parameters(self.options, {**self.options.parameters, **variant})
        return next(algorithm for algorithm in configured_algorithms(options) if algorithm.name == name)

    def _ndcg(self, name: str, scorers: Sequence[ScorerConfig]) -> Array:
        """Return (users,) NDCG@10 over all items of the algorithm's best scorer by the mean."""
        if not self._samples:
            self._samples = [_sample_users(part, self.options) for part in self.fold.parts]
        by_part = []
        for fitted, (histories, relevant) in zip(self.fitted, self._samples, strict=True):
            chunks = score_tables(fitted, scorers, histories, self.fold.parts[0].past.item_count)
            values = [
                np.stack([_ndcg_of_table(table, own, relevant[first : first + len(own)]) for table in tables])
                for first, own, tables in chunks
            ]
            by_part.append(np.concatenate([*values, np.empty((len(scorers), 0))], axis=1))
        ndcg = np.concatenate(by_part, axis=1)
        return np.asarray(ndcg[int(ndcg.mean(axis=1).argmax())]) if ndcg.size else np.empty(0)


def _sample_users(part: FoldPart, options: TrainingOptions) -> tuple[list[RankedHistory], list[frozenset[int]]]:
    """Return the histories of a sample of users, and the items that each chose next."""
    users = select_validation_users(part, options)
    users = users[:: max(1, -(-len(users) // MAX_USERS))]
    past, future = histories_of(part.past), histories_of(part.future)
    histories = rank_histories([past[user] for user in users], part.past.item_count)
    return histories, [frozenset(future[user].items.tolist()) for user in users]


def _ndcg_of_table(table: FloatArray, histories: Sequence[RankedHistory], relevant: Sequence[frozenset[int]]) -> Array:
    """Return (users,) NDCG@10 of ranking all items but a user's own by (users, items) scores."""
    others = table.copy()
    for row, history in enumerate(histories):
        others[row, history.items] = -np.inf
    count = min(CUTOFF, others.shape[1])
    top = np.argpartition(-others, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(others, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    ndcg = np.zeros(len(histories))
    for row, items in enumerate(relevant):
        hits = [item in items for item in top[row].tolist()]
        ndcg[row] = DISCOUNTS[:count][hits].sum() / DISCOUNTS[: min(CUTOFF, len(items))].sum()
    return ndcg
