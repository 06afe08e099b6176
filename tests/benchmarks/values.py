"""The worth of values as strength, as the choice on the fold sees it: NDCG@10 of a small autoencoder with each way.

python -m tests.benchmarks.values

MovieLens' ratings with times and without, and generated sets with play counts (tests/benchmarks/worlds.py).
"""

from __future__ import annotations

import csv
import gzip
import time

import numpy as np

from recommendations.algorithms.data.event_values import METHODS, RATING, EventValues
from recommendations.algorithms.evaluation.heldout_users import HeldOutUsers
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.splitting import Rows, split
from tests.benchmarks.cases import CASES
from tests.benchmarks.quality import EVENTS


def ratings(*, timed: bool) -> Rows:
    """MovieLens latest-small."""
    with gzip.open(EVENTS, "rt", newline="") as file:
        rows = [(row["user_id"], row["item_id"], row["occurred_at"], row["value"]) for row in csv.DictReader(file)]
    users, items, times, stars = (np.array(column) for column in zip(*rows, strict=True))
    said = EventValues(np.zeros(len(users), dtype=np.int64), stars.astype(np.float32), (RATING,), {})
    return Rows(users, items, times.astype(np.float64) if timed else None, values=said)


def plays(name: str) -> Rows:
    """A generated set with what each row is worth."""
    log = CASES[name].make(0)
    assert log.amounts is not None
    said = EventValues(np.zeros(len(log.users), dtype=np.int64), log.amounts.astype(np.float32), ("play",), {})
    return Rows(log.users, log.items, log.times, values=said)


def main() -> None:
    """Print a line for each set."""
    sets = {
        "movielens, last10": (ratings(timed=True), "last10"),
        "movielens, rand10": (ratings(timed=False), "rand10"),
        **{name: (plays(name), CASES[name].protocol) for name in ("plays", "music")},
    }
    print("| set | " + " | ".join(METHODS) + " | chosen | processor s |\n|---|" + "---|" * (len(METHODS) + 2))
    for name, (rows, protocol) in sets.items():
        begun = time.process_time()
        chosen = HeldOutUsers.weighted_interactions(
            rows, split(rows, protocol=protocol, seed=0).train, TrainingOptions()
        ).as_json()
        (found,) = chosen.values()
        measured = " | ".join(f"{found['ndcg@10'][way]:.4f}" for way in METHODS)
        print(f"| {name} | {measured} | {found['way']} | {time.process_time() - begun:.1f} |")


if __name__ == "__main__":
    main()
