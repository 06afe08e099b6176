"""Choose each family's parameters on a fold inside the train part, fit it again on all of it, and judge it on test."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.validation.splitting import Split, split
from tests.benchmarks.baselines.factors import IALS
from tests.benchmarks.baselines.families import Family, Grid, Parameters
from tests.benchmarks.baselines.linear import EASE, RECENT_EASE
from tests.benchmarks.baselines.neighbours import BM25, COSINE, RECENT_COSINE, RP3BETA, USERS
from tests.benchmarks.baselines.popular import POPULARITY, RECENT_POPULARITY
from tests.benchmarks.baselines.rules import RULES
from tests.benchmarks.baselines.table import Floats, Judged, Log, Model, Table, tables

FAMILIES = (
    POPULARITY,
    RECENT_POPULARITY,
    COSINE,
    BM25,
    RP3BETA,
    USERS,
    EASE,
    IALS,
    RECENT_COSINE,
    RECENT_EASE,
    RULES,
)
# The two that know what came last, added after both were standardised for each person.
BOTH = "EASE, recent history + rules"
SHARES = (0.1, 0.2, 0.35, 0.5, 0.7)
NAMES = (*(family.name for family in FAMILIES), BOTH)
# People who choose parameters, at most.
TUNING_PEOPLE = 600
# Fewer cannot choose: each person's own last rows do then.
FEWEST_PEOPLE = 20


@dataclass(frozen=True, eq=False)
class Tuned:
    """A family with the parameters that did best on the fold: what it was worth there, and to each person of test."""

    name: str
    parameters: Parameters
    fold: float
    test: Floats
    seconds: float


@dataclass(frozen=True, eq=False)
class _Best:
    parameters: Parameters
    merit: float
    model: Model


def tune_all(rows: Log, parts: Split, *, protocol: str, seed: int, people: int) -> list[Tuned]:
    """Return every family that applies, judged on the same people of test; at most `people` of them, drawn."""
    table, judged = tables(rows, parts)
    judged = judged.some(people, seed)
    past, fold = _fold(rows, parts, protocol, seed)
    fold = fold.some(TUNING_PEOPLE, seed)
    found: list[Tuned] = []
    ready: dict[str, tuple[_Best, Model]] = {}
    with threadpool_limits(limits=1):
        for family in FAMILIES:
            begun = time.monotonic()
            if (family.needs_times and rows.times is None) or not (best := _best(family, past, fold)):
                continue
            _, model = next(family.fit(table, _only(best.parameters)))
            if family in (RECENT_EASE, RULES):
                ready[family.name] = best, model
            test = judged.ndcg(table, model)
            found.append(Tuned(family.name, best.parameters, best.merit, test, time.monotonic() - begun))
        if len(ready) == 2:
            found.append(_both(ready[RECENT_EASE.name], ready[RULES.name], past, fold, table, judged))
    return found


def people_of_test(rows: Log, parts: Split, *, seed: int, people: int) -> list[str]:
    """Return the ids of the people whom `tune_all` judges, in its order."""
    user_ids = np.unique(rows.users[parts.train].astype(str))
    _, judged = tables(rows, parts)
    return [str(each) for each in user_ids[judged.some(people, seed).people]]


def _fold(rows: Log, parts: Split, protocol: str, seed: int) -> tuple[Table, Judged]:
    train = rows.select(parts.train)
    past, fold = tables(train, split(train, protocol=protocol, seed=seed))
    if len(fold.people) < FEWEST_PEOPLE and protocol == "global80":
        past, fold = tables(train, split(train, protocol="last10", seed=seed))
    return past, fold


def _best(family: Family, past: Table, fold: Judged) -> _Best | None:
    best: _Best | None = None
    for stage in family.stages:
        grid: Grid = {**(_only(best.parameters) if best else {}), **stage}
        for parameters, model in family.fit(past, grid):
            merit = float(fold.ndcg(past, model).mean()) if len(fold.people) else 0.0
            if best is None or merit > best.merit:
                best = _Best(parameters, merit, model)
    return best


def _only(parameters: Parameters) -> Grid:
    return {name: (value,) for name, value in parameters.items()}


def _both(
    ease: tuple[_Best, Model],
    rules: tuple[_Best, Model],
    past: Table,
    fold: Judged,
    table: Table,
    judged: Judged,
) -> Tuned:
    begun = time.monotonic()
    merits = [
        float(fold.ndcg(past, _added(ease[0].model, rules[0].model, share)).mean()) if len(fold.people) else 0.0
        for share in SHARES
    ]
    best = int(np.argmax(merits))
    test = judged.ndcg(table, _added(ease[1], rules[1], SHARES[best]))
    return Tuned(BOTH, {"rules": SHARES[best]}, merits[best], test, time.monotonic() - begun)


def _added(one: Model, other: Model, share: float) -> Model:
    return lambda people: (1 - share) * _standard(one(people)) + share * _standard(other(people))


def _standard(scores: NDArray[Any]) -> NDArray[Any]:
    spread = scores.std(axis=1, keepdims=True)
    return np.asarray((scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0))
