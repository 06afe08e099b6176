"""The cases that the benchmark compares on: a set of data, and the protocol that divides it into train and test.

MovieLens latest-small is real; the other sets are generated, and sets.py and worlds.py say what each is for. `CORE` is
the short form; `OTHERS` are further domains and shapes, which hold what was developed on the first to account.
Files of your own join them: each `NAME.csv` (user_id, item_id, occurred_at where known) in the folder that
BENCHMARK_DATA names is NAME_last10, NAME_global80 and NAME_rand10_untimed, or the last alone.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from recommendations.algorithms.training_options import Validation
from tests.benchmarks.baselines.table import Log
from tests.benchmarks.quality import EVENTS, read_events
from tests.benchmarks.sets import SETS, UNSEEN
from tests.benchmarks.worlds import WORLDS, maker


@dataclass(frozen=True)
class Case:
    """Attributes:
    make: returns the set; of MovieLens there is one, of a generated set one for each seed.
    validation: what the tenant's setting says; "auto" as long as nobody sets it.
    """

    name: str
    make: Callable[[int], Log]
    protocol: str
    validation: Validation = "auto"


def _movielens(*, timed: bool) -> Callable[[int], Log]:
    def make(_seed: int) -> Log:
        rows = read_events(EVENTS)
        return Log(rows.users, rows.items, rows.times if timed else None)

    return make


def _seeded(name: str) -> Callable[[int], Log]:
    """Seed 0 is the set as it was first made."""
    make, first = (SETS | UNSEEN)[name], FIRST_SEEDS[name]

    def log(seed: int) -> Log:
        rows = make(first + 1_000 * seed).rows
        return Log(rows.users, rows.items, rows.times)

    return log


def _own() -> tuple[Case, ...]:
    """Return the cases of one's own files."""
    folder = os.environ.get("BENCHMARK_DATA")
    cases = []
    for path in sorted(Path(folder).glob("*.csv")) if folder else ():
        with path.open(newline="") as file:
            timed = "occurred_at" in next(csv.reader(file))
        for protocol in ("last10", "global80") if timed else ():
            validation: Validation = "last" if protocol == "last10" else "auto"
            cases.append(Case(f"{path.stem}_{protocol}", partial(_of_file, path, timed=True), protocol, validation))
        cases.append(Case(f"{path.stem}_rand10_untimed", partial(_of_file, path, timed=False), "rand10"))
    return tuple(cases)


def _of_file(path: Path, _seed: int, *, timed: bool) -> Log:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    moments = np.array([float(row["occurred_at"]) for row in rows]) if timed else None
    return Log(np.array([row["user_id"] for row in rows]), np.array([row["item_id"] for row in rows]), moments)


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
_OLDER = tuple(Case(name, _seeded(name), _PROTOCOLS.get(name, "last10")) for name in FIRST_SEEDS)
_WORLDS = tuple(Case(name, maker(name), protocol) for name, (_, protocol, _) in WORLDS.items())
_IN_CORE = ("drift", "bursts", "absences", "plays", "small_wide", "untimed", "fashion")
CORE = (*MOVIELENS, *(case for case in (*_WORLDS, *_OLDER) if case.name in _IN_CORE))
LONG = tuple(case for case in _OLDER if case.name == "million")
OTHERS = tuple(case for case in (*_WORLDS, *_OLDER) if case.name not in (*_IN_CORE, "million"))
OWN = _own()
CASES = {case.name: case for case in (*CORE, *OTHERS, *LONG, *OWN)}
