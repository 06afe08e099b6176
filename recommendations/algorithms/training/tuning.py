"""Searches hyperparameters on folds inside the data, and tests whether they are really better.

There are two folds, one inside the other, both cut as a training cuts its own. The search sees the inner one only: it
tries one value after the other, refits the one algorithm that it changes, and keeps a value that gains more than a
standard error of the difference within users. The result is then compared with the current hyperparameters on the
outer fold, which the search has never seen (paired bootstrap, 95 %). Rows held out for an evaluation are not part of
the data.

Blend weights are always fitted again, and each user is judged by weights that were fitted on other users
(cross-fitting), so that more scorers are no advantage in themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.metrics.bootstrap import Interval, bootstrap_interval, paired_interval
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.training.coordinate_search import CoordinateSearch, TuningTrial
from recommendations.algorithms.training.hyperparameters import validate_parameters
from recommendations.algorithms.training.progress import Progress, ignore_progress
from recommendations.algorithms.training.train import NoInteractions
from recommendations.algorithms.training.validation_bench import TooFewUsers, ValidationBench
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold

__all__ = ["TooFewUsers", "TuningResult", "TuningTrial", "tune"]

# The time kept for the comparison on the outer fold, in durations of the current hyperparameters on the inner one.
COMPARISON_FACTOR = 3.0


@dataclass(frozen=True)
class TuningResult:
    """Hyperparameters other than the defaults, current and found, and NDCG@10 of both on the outer fold."""

    protocol: str
    users: int
    current: dict[str, float]
    found: dict[str, float]
    trials: tuple[TuningTrial, ...]
    complete: bool
    ndcg_current: Interval
    ndcg_found: Interval
    difference: Interval
    seconds: float

    @property
    def changed(self) -> bool:
        """Return whether the search found anything else than the current hyperparameters."""
        return self.found != self.current

    @property
    def worse(self) -> bool:
        """Return whether the found hyperparameters are worse than the current ones beyond noise."""
        return self.difference.high < 0

    @property
    def verdict(self) -> str:
        """Return the outcome of the comparison as a sentence."""
        if not self.changed:
            return "Nothing better than the current parameters was found."
        word = "Worse" if self.worse else "Better" if self.difference.low > 0 else "Not worse"
        return (
            f"{word} than the current parameters beyond noise: ndcg@10 {self.ndcg_found.mean:.4f} against "
            f"{self.ndcg_current.mean:.4f} for the same {self.users} users, {self.difference.mean:+.4f} with a 95 % "
            f"interval of {self.difference.low:+.4f} to {self.difference.high:+.4f}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "protocol": self.protocol,
            "people": self.users,
            "present": self.current,
            "found": self.found,
            "changed": self.changed,
            "worse": self.worse,
            "verdict": self.verdict,
            "ndcg@10": {"present": _as_list(self.ndcg_current), "found": _as_list(self.ndcg_found)},
            "difference": _as_list(self.difference),
            "trials": [vars(trial) for trial in self.trials],
            "complete": self.complete,
            "seconds": round(self.seconds, 1),
        }


def tune(
    interactions: Interactions,
    options: TrainingOptions,
    current: Mapping[str, Any],
    *,
    catalogue: Catalogue | None = None,
    seconds: float = 600.0,
    progress: Progress | None = None,
    timer: Callable[[], float] = time.monotonic,
) -> TuningResult:
    """Return the hyperparameters found within about `seconds`, beside the current ones.

    Raises:
        NoInteractions: the interactions are empty.
        TooFewUsers: too few users can judge.
        UnknownParameter: a current name or value is invalid.
    """
    started = timer()
    report = progress or ignore_progress
    if not interactions.row_count:
        raise NoInteractions("there are no interactions to train on: import events first")
    parameters = validate_parameters(current)
    with threadpool_limits(limits=options.threads):
        outer_fold = make_fold(interactions, options)
        # Of the earliest past, so that no row that judges on the outer fold is in it.
        inner = ValidationBench(make_fold(outer_fold.parts[-1].past, options), catalogue, options)
        report("the current parameters on the inner fold", 0.0)
        inner_ndcg = inner.ndcg(parameters)
        deadline = started + seconds - COMPARISON_FACTOR * (timer() - started)
        search = CoordinateSearch(inner, parameters, inner_ndcg, deadline, timer)
        search.run(lambda text: report(text, min(0.99, (timer() - started) / seconds)))
        report("comparing on the outer fold", 0.9)
        outer = ValidationBench(outer_fold, catalogue, options)
        before = outer.ndcg(parameters)
        after = outer.ndcg(search.parameters) if search.parameters != parameters else before
    report("tuned", 1.0)
    return TuningResult(
        protocol=outer_fold.protocol,
        users=len(before),
        current=parameters,
        found=search.parameters,
        trials=tuple(search.trials),
        complete=search.complete,
        ndcg_current=bootstrap_interval(before),
        ndcg_found=bootstrap_interval(after),
        difference=paired_interval(after, before),
        seconds=timer() - started,
    )


def _as_list(interval: Interval) -> list[float]:
    return [round(value, 6) for value in (interval.mean, interval.low, interval.high)]
