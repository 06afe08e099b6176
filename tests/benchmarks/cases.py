"""What the benchmark compares on: a set of data, and the protocol that divides it into train and test.

MovieLens latest-small is real; the other sets are generated, each with a structure that some algorithms find and others
cannot (sets.py, worlds.py). `CORE` is what the engine is developed on, `OTHERS` shapes that it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recommendations.algorithms.evaluation.protocols import Rows
from tests.benchmarks.baselines.table import Log
from tests.benchmarks.quality import EVENTS, read_events
from tests.benchmarks.sets import SETS, UNSEEN, Generated


@dataclass(frozen=True)
class Case:
    """Attributes:
    make: returns the set; of MovieLens there is one, of a generated set one for each seed.
    validation: what the tenant's setting says; "auto" as long as nobody sets it.
    """

    name: str
    make: Callable[[int], Log]
    protocol: str
    validation: str = "auto"


def _movielens(*, timed: bool) -> Callable[[int], Log]:
    def make(_seed: int) -> Log:
        rows = read_events(EVENTS)
        return Log(rows.users, rows.items, rows.times if timed else None)

    return make


def _generated(make: Callable[[int], Generated]) -> Callable[[int], Log]:
    """Seed 0 is the set as it was first made."""

    def log(seed: int) -> Log:
        made = make(seed)
        return made.rows if isinstance(made.rows, Log) else _log(made.rows)

    return log


def _log(rows: Rows) -> Log:
    return Log(rows.users, rows.items, rows.times)


def _seeded(name: str) -> Callable[[int], Log]:
    make, first = (SETS | UNSEEN)[name], FIRST_SEEDS[name]
    return _generated(lambda seed: make(first + 1_000 * seed))


FIRST_SEEDS = {
    "order": 11,
    "no_times": 12,
    "cold_items": 13,
    "fashion": 14,
    "sparse": 15,
    "million": 16,
    "order_2": 101,
    "no_times_2": 102,
    "groceries": 21,
    "city": 22,
}
_PROTOCOLS = {"no_times": "rand10", "no_times_2": "rand10", "fashion": "global80", "city": "global80"}

MOVIELENS = (
    Case("ml_last10", _movielens(timed=True), "last10", validation="last"),
    Case("ml_global80", _movielens(timed=True), "global80"),
    Case("ml_rand10_untimed", _movielens(timed=False), "rand10"),
)
CORE = (
    *MOVIELENS,
    *(
        Case(name, _seeded(name), _PROTOCOLS.get(name, "last10"))
        for name in ("order", "no_times", "cold_items", "fashion", "sparse")
    ),
)
LONG = (Case("million", _seeded("million"), "last10"),)
OTHERS = tuple(
    Case(name, _seeded(name), _PROTOCOLS.get(name, "last10")) for name in ("order_2", "no_times_2", "groceries", "city")
)
CASES = {case.name: case for case in (*CORE, *OTHERS, *LONG)}
