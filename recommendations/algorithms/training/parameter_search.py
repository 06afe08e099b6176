"""Fit every part on the fold's past, and its parameters with it.

A regularisation that suits one tenant's data is far off on another's, so a few values of those that matter are tried in
every training: each part is read alone, and a value replaces the one before it where people are served better on the
mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommendations.algorithms.blending.weights import CUTOFF, DISCOUNTS
from recommendations.algorithms.data.dataset import Array, FloatArray
from recommendations.algorithms.data.history import RankedHistory, histories_of
from recommendations.algorithms.inference.scoring import Read, tables
from recommendations.algorithms.models.protocol import Algorithm, Fitted
from recommendations.algorithms.training.hyperparameters import PARAMETERS, VARIANTS, algorithms, with_parameters
from recommendations.algorithms.training.time_budget import Budget
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold, Part, judges_of

# People of each part by whom parameters are judged; with fewer over all parts the defaults stay.
MOST_JUDGES = 400
FEWEST_JUDGES = 100

# Data that has grown or shrunk by more than this is fitted anew.
CHANGE = 1.25


@dataclass(frozen=True)
class FittedParameters:
    """Parameters that a training fitted, and the data that they were fitted to.

    Attributes:
        values: those that differ from the defaults and the tenant's own.
        fold: the kind of the fold that judged.
        rows: the rows of the data.
    """

    values: Mapping[str, float]
    fold: str
    rows: int

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> FittedParameters | None:
        """Return those that a training chose; None where it is older than they are."""
        said = chosen.get("fitted_parameters")
        if said is None:
            return None
        values = {name: value for name, value in said["values"].items() if name in PARAMETERS}
        return cls(values, said["fold"], said["rows"])

    def hold_for(self, fold: Fold, rows: int) -> bool:
        """Say whether data of so many rows, judged by this fold, is nearly that which they were fitted to."""
        return self.fold == fold.protocol and self.rows <= rows * CHANGE and rows <= self.rows * CHANGE


@dataclass
class Trials:
    """The parts of a fold, each with everything that was fitted on its past.

    Attributes:
        fitted: for each part of the fold, by name.
        parameters: those that were fitted and differ from the present choice.
    """

    fold: Fold
    options: TrainingOptions
    budget: Budget
    timer: Callable[[], float]
    fitted: list[dict[str, Fitted]]
    parameters: dict[str, float] = field(default_factory=dict)
    _histories: list[tuple[list[RankedHistory], list[frozenset[int]]]] = field(default_factory=list)

    def fit(self, algorithm: Algorithm) -> None:
        """Fit the algorithm on the past of each part and note how long it took."""
        begun = self.timer()
        found = [algorithm.fit(part.past, self.options) for part in self.fold.parts]
        self.budget.measured(algorithm.name, begun, times=len(found))
        for place, part in enumerate(found):
            self.fitted[place][algorithm.name] = part

    def fit_parameters(self, name: str, reads: Callable[[Algorithm], Sequence[Read]]) -> None:
        """Try the variants of an algorithm that has been fitted, and keep what is best.

        No value has a better claim than its neighbours, so no lead is asked of it: with a bar of a standard error a
        fold cannot tell a value from one twice as large, and the default would stay where it is probably worse.
        """
        if name not in VARIANTS:
            return
        if sum(len(judges_of(part, self.options)) for part in self.fold.parts) < FEWEST_JUDGES:
            return
        best = float(self._reached(name, reads(self._algorithm(name, {}))).mean())
        chosen: Mapping[str, float] = {}
        for way in VARIANTS[name]:
            for variant in way:
                if self.options.parameters.keys() & variant.keys() or not self.budget.may_vary():
                    break
                before = [each[name] for each in self.fitted]
                algorithm = self._algorithm(name, variant)
                self.fit(algorithm)
                reached = float(self._reached(name, reads(algorithm)).mean())
                if reached <= best:
                    for each, part in zip(self.fitted, before, strict=True):
                        each[name] = part
                    break
                best, chosen = reached, variant
        self.parameters |= chosen

    def _algorithm(self, name: str, variant: Mapping[str, float]) -> Algorithm:
        options = with_parameters(self.options, {**self.options.parameters, **variant})
        return next(each for each in algorithms(options) if each.name == name)

    def _reached(self, name: str, reads: Sequence[Read]) -> Array:
        """Return (judges,) NDCG@10 of the read that does best on the mean, over everything that may be proposed."""
        if not self._histories:
            self._histories = [_asked(part, self.options) for part in self.fold.parts]
        found = []
        for fitted, (histories, wanted) in zip(self.fitted, self._histories, strict=True):
            made = tables(fitted, reads, histories, self.fold.parts[0].past.item_count)
            values = [
                np.stack([_ndcg(table, own, wanted[first : first + len(own)]) for table in each])
                for first, own, each in made
            ]
            found.append(np.concatenate([*values, np.empty((len(reads), 0))], axis=1))
        every = np.concatenate(found, axis=1)
        return np.asarray(every[int(every.mean(axis=1).argmax())]) if every.size else np.empty(0)


def _asked(part: Part, options: TrainingOptions) -> tuple[list[RankedHistory], list[frozenset[int]]]:
    """Return the histories of some judges, and what each of them chose next."""
    people = judges_of(part, options)
    people = people[:: max(1, -(-len(people) // MOST_JUDGES))]
    past, future = histories_of(part.past), histories_of(part.future)
    histories = [RankedHistory.of(past[person], part.past.item_count) for person in people]
    return histories, [frozenset(future[person].items.tolist()) for person in people]


def _ndcg(table: FloatArray, histories: Sequence[RankedHistory], wanted: Sequence[frozenset[int]]) -> Array:
    """Return (people,) NDCG@10 of ranking all items but a person's own by (people, items) scores."""
    others = table.copy()
    for row, history in enumerate(histories):
        others[row, history.items] = -np.inf
    count = min(CUTOFF, others.shape[1])
    top = np.argpartition(-others, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(others, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    found = np.zeros(len(histories))
    for row, items in enumerate(wanted):
        hit = [item in items for item in top[row].tolist()]
        found[row] = DISCOUNTS[:count][hit].sum() / DISCOUNTS[: min(CUTOFF, len(items))].sum()
    return found


def empty(fold: Fold, options: TrainingOptions, budget: Budget, timer: Callable[[], float]) -> Trials:
    """Return trials of this fold in which nothing has been fitted yet."""
    return Trials(fold, options, budget, timer, [{} for _ in fold.parts])
