"""Look for parameters that suit this data better, on folds inside it, and say whether they really do.

Two folds, one inside the other, both cut as a training cuts its own (in time where there are times). The search sees
the inner one only: it tries one value after the other, refits the one part that it changes, and keeps what gains more
than a standard error of the difference within people. What it ends with is then compared with the present choice on
the outer fold, which it has never seen (paired bootstrap, 95 %). Whatever is held out for an evaluation is no part of
the data that comes here.

Weights of a blend are always fitted anew, and each person is judged by weights that others' choices gave
(cross-fitting), so that more ways of reading are no advantage in themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.blending.selection import FEWEST_PEOPLE, cross_fitted
from recommendations.algorithms.data.dataset import Array, Interactions
from recommendations.algorithms.metrics.bootstrap import Interval, interval, paired
from recommendations.algorithms.models.content import Catalogue, block_of
from recommendations.algorithms.models.protocol import Algorithm, Fitted, ItemMatrix
from recommendations.algorithms.training.hyperparameters import (
    HALF_LIVES,
    PARAMETERS,
    algorithms,
    checked,
    with_parameters,
)
from recommendations.algorithms.training.train import NothingToLearn, Progress, all_items, content_reads, reads_of
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold, make_fold

__all__ = ["TooFewPeople", "Trial", "Tuned", "tune"]

# The share of the time that the search may take; the rest is for the comparison on the outer fold, by how long the
# present choice took on the inner one.
COMPARISON = 3.0
# A step must gain this share of what was reached: less is a person or two.
LEAST_GAIN = 0.002


class TooFewPeople(ValueError):
    """Nobody, or hardly anybody, could judge."""


@dataclass(frozen=True)
class Trial:
    """One value that was tried on the inner fold: the mean gain in NDCG@10 over what was best until then."""

    parameter: str
    value: float
    gain: float
    error: float
    kept: bool


@dataclass(frozen=True)
class Tuned:
    """What was found: parameters other than the defaults, and what both choices reach on the outer fold."""

    protocol: str
    people: int
    present: dict[str, float]
    found: dict[str, float]
    trials: tuple[Trial, ...]
    complete: bool
    ndcg_present: Interval
    ndcg_found: Interval
    difference: Interval
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything else than the present choice was found."""
        return self.found != self.present

    @property
    def worse(self) -> bool:
        """Whether what was found is worse than the present choice beyond noise."""
        return self.difference.high < 0

    @property
    def verdict(self) -> str:
        """Say in a sentence what the comparison gave."""
        if not self.changed:
            return "Nothing better than the present choice was found."
        word = "Worse" if self.worse else "Better" if self.difference.low > 0 else "Not worse"
        return (
            f"{word} than the present choice beyond noise: ndcg@10 {self.ndcg_found.mean:.4f} against "
            f"{self.ndcg_present.mean:.4f} for the same {self.people} people, {self.difference.mean:+.4f} with a 95 % "
            f"interval of {self.difference.low:+.4f} to {self.difference.high:+.4f}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "protocol": self.protocol,
            "people": self.people,
            "present": self.present,
            "found": self.found,
            "changed": self.changed,
            "worse": self.worse,
            "verdict": self.verdict,
            "ndcg@10": {"present": _as_list(self.ndcg_present), "found": _as_list(self.ndcg_found)},
            "difference": _as_list(self.difference),
            "trials": [vars(trial) for trial in self.trials],
            "complete": self.complete,
            "seconds": round(self.seconds, 1),
        }


def tune(
    interactions: Interactions,
    options: TrainingOptions,
    present: Mapping[str, Any],
    *,
    catalogue: Catalogue | None = None,
    seconds: float = 600.0,
    progress: Progress | None = None,
    timer: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Return the parameters found within about so many seconds, beside the present ones.

    Raises:
        NothingToLearn: no interactions.
        TooFewPeople: fewer than can tell better from lucky.
        UnknownParameter: the present choice has a name or a value that is none.
    """
    started = timer()
    report = progress or _silent
    if not interactions.row_count:
        raise NothingToLearn("there are no interactions to learn from: import events first")
    now = checked(present)
    with threadpool_limits(limits=options.threads):
        outer = make_fold(interactions, options)
        # The earliest past: nothing that judges on the outer fold is in it.
        inner = _Bench(make_fold(outer.parts[-1].past, options), catalogue, options)
        report("the present choice on the inner fold", 0.0)
        best, begun = inner.judge(now), timer()
        once = begun - started
        search = _Search(inner, now, best, deadline=started + seconds - COMPARISON * once, timer=timer)
        search.run(lambda text: report(text, min(0.99, (timer() - started) / seconds)))
        report("comparing on the outer fold", 0.9)
        bench = _Bench(outer, catalogue, options)
        before = bench.judge(now)
        after = bench.judge(search.parameters) if search.parameters != now else before
    report("tuned", 1.0)
    return Tuned(
        protocol=outer.protocol,
        people=len(before),
        present=now,
        found=search.parameters,
        trials=tuple(search.trials),
        complete=search.complete,
        ndcg_present=interval(before),
        ndcg_found=interval(after),
        difference=paired(after, before),
        seconds=timer() - started,
    )


@dataclass
class _Bench:
    """A fold, and the parts that were fitted on its past so far."""

    fold: Fold
    catalogue: Catalogue | None
    options: TrainingOptions
    fitted: dict[str, tuple[str, list[Fitted]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._content: dict[str, Fitted] = {}
        if self.catalogue is not None:
            item_ids, places = all_items(self.fold.parts[0].past, self.catalogue)
            found = self.catalogue.matrices(item_ids, self.options)
            self._content = {name: ItemMatrix(block_of(matrix, places)) for name, matrix in found.items()}

    def judge(self, parameters: Mapping[str, float]) -> Array:
        """Return (judges,) NDCG@10 of a blend with these parameters.

        Raises:
            TooFewPeople: fewer than can tell better from lucky.
        """
        options = with_parameters(self.options, parameters)
        with_times = self.fold.parts[0].past.times is not None
        usable = [each for each in algorithms(options) if self._applies(each, options)]
        parts = {each.name: self._parts(each, options) for each in usable}
        fitted = [
            {name: found[place] for name, found in parts.items()} | self._content for place in range(self.fold.cuts)
        ]
        reads = [read for each in usable for read in reads_of(each, with_times=with_times)]
        reads += [read for name in self._content for read in content_reads(name, with_times=with_times)]
        judged = cross_fitted(self.fold, fitted, reads, options)
        if judged is None:
            raise TooFewPeople(
                f"fewer than {FEWEST_PEOPLE} people have enough history to judge by: there is nothing to tune with"
            )
        return judged

    def matters(self, parameter: str) -> bool:
        """Say whether another value of this parameter could change anything for this data."""
        past = self.fold.parts[0].past
        owner, _, _ = parameter.partition(".")
        if owner == HALF_LIVES:
            return past.times is not None
        own = [each for each in algorithms(self.options) if each.name == owner]
        return not own or self._applies(own[0], self.options)

    def _applies(self, algorithm: Algorithm, options: TrainingOptions) -> bool:
        return all(algorithm.applies_to(part.past, options) for part in self.fold.parts)

    def _parts(self, algorithm: Algorithm, options: TrainingOptions) -> list[Fitted]:
        """Return what was fitted on each past; half-lives only say how it is read."""
        shape = repr({key: value for key, value in vars(algorithm).items() if key != HALF_LIVES})
        if self.fitted.get(algorithm.name, ("", []))[0] != shape:
            self.fitted[algorithm.name] = (shape, [algorithm.fit(part.past, options) for part in self.fold.parts])
        return self.fitted[algorithm.name][1]


@dataclass
class _Search:
    """Climbs along one parameter after the other, until no step helps or the time is over."""

    bench: _Bench
    parameters: dict[str, float]
    values: Array
    deadline: float
    timer: Callable[[], float]
    trials: list[Trial] = field(default_factory=list)
    complete: bool = False
    _longest: float = 0.0

    def run(self, report: Callable[[str], None]) -> None:
        """Go round until a whole round changes nothing."""
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
        """Step up and down from where it stands as long as that helps; False when the time is over."""
        for direction in (1, -1):
            while (value := self._beside(name, direction)) is not None:
                proposal = checked({**self.parameters, name: value})
                key = tuple(sorted(proposal.items()))
                if key in tried:
                    break
                if self.timer() + self._longest > self.deadline:
                    return False
                tried.add(key)
                report(f"{name} = {value:g}")
                if not self._try(name, value, proposal):
                    break
        return True

    def _beside(self, name: str, direction: int) -> float | None:
        parameter = PARAMETERS[name]
        now = self.parameters.get(name, parameter.default)
        others = [each for each in parameter.values if (each - now) * direction > 0]
        return (min(others) if direction > 0 else max(others)) if others else None

    def _try(self, name: str, value: float, proposal: dict[str, float]) -> bool:
        begun, parts = self.timer(), dict(self.bench.fitted)
        values = self.bench.judge(proposal)
        self._longest = max(self._longest, self.timer() - begun)
        gain = values - self.values
        error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
        kept = bool(gain.mean() > max(error, LEAST_GAIN * self.values.mean()))
        self.trials.append(Trial(name, value, float(gain.mean()), error, kept))
        if kept:
            self.parameters, self.values = proposal, values
        else:
            self.bench.fitted = parts
        return kept


def _as_list(found: Interval) -> list[float]:
    return [round(each, 6) for each in (found.mean, found.low, found.high)]


def _silent(_message: str, _share: float) -> None:
    """Report nothing."""
