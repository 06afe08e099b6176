"""Coordinate search over hyperparameters: one after the other, until no step helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from recommendations.algorithms.data.dataset import Array
from recommendations.algorithms.training.hyperparameters import PARAMETERS, validate_parameters
from recommendations.algorithms.training.validation_bench import ValidationBench

# A step must gain this share of the NDCG before it: less is a user or two.
MIN_GAIN = 0.002


@dataclass(frozen=True)
class TuningTrial:
    """One value that was tried on the inner fold: the mean gain in NDCG@10 over the best before it."""

    parameter: str
    value: float
    gain: float
    error: float
    kept: bool


@dataclass
class CoordinateSearch:
    """Climbs along one hyperparameter after the other, until no step helps or the time is over.

    Attributes:
        parameters: the best so far, and `ndcg` (users,) of each.
        complete: True once a whole round has changed nothing.
    """

    bench: ValidationBench
    parameters: dict[str, float]
    ndcg: Array
    deadline: float
    timer: Callable[[], float]
    trials: list[TuningTrial] = field(default_factory=list)
    complete: bool = False
    _longest_trial: float = 0.0

    def run(self, report: Callable[[str], None]) -> None:
        """Repeat rounds until one changes nothing."""
        tried: set[tuple[tuple[str, float], ...]] = {tuple(sorted(self.parameters.items()))}
        while True:
            before = dict(self.parameters)
            for name in filter(self.bench.matters, PARAMETERS):
                if not self._climb(name, tried, report):
                    return
            if self.parameters == before:
                self.complete = True
                return

    def _climb(self, name: str, tried: set[tuple[tuple[str, float], ...]], report: Callable[[str], None]) -> bool:
        """Step up and down from the current value as long as that helps; False when the time is over."""
        for direction in (1, -1):
            while (value := self._next_value(name, direction)) is not None:
                proposal = validate_parameters({**self.parameters, name: value})
                key = tuple(sorted(proposal.items()))
                if key in tried:
                    break
                if self.timer() + self._longest_trial > self.deadline:
                    return False
                tried.add(key)
                report(f"{name} = {value:g}")
                if not self._try(name, value, proposal):
                    break
        return True

    def _next_value(self, name: str, direction: int) -> float | None:
        parameter = PARAMETERS[name]
        current = self.parameters.get(name, parameter.default)
        values = [value for value in parameter.values if (value - current) * direction > 0]
        return (min(values) if direction > 0 else max(values)) if values else None

    def _try(self, name: str, value: float, proposal: dict[str, float]) -> bool:
        started, fitted = self.timer(), dict(self.bench.fitted)
        ndcg = self.bench.ndcg(proposal)
        self._longest_trial = max(self._longest_trial, self.timer() - started)
        gain = ndcg - self.ndcg
        error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
        kept = bool(gain.mean() > max(error, MIN_GAIN * self.ndcg.mean()))
        self.trials.append(TuningTrial(name, value, float(gain.mean()), error, kept))
        if kept:
            self.parameters, self.ndcg = proposal, ndcg
        else:
            self.bench.fitted = fitted
        return kept
