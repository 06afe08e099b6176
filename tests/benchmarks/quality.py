"""Measure recommendation quality on MovieLens latest-small, the table in docs comes from here.

python -m tests.benchmarks.quality                       last10, seeds 0 to 4
python -m tests.benchmarks.quality --protocol rand10 --seeds 3
python -m tests.benchmarks.quality --pruning             what keeping 500, 200 or 100 neighbours loses
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from pathlib import Path

import numpy as np

from recommendations.algorithms.evaluation.metrics import METRICS
from recommendations.algorithms.evaluation.protocols import PROTOCOLS, Rows
from recommendations.algorithms.evaluation.runner import Report, evaluate
from recommendations.algorithms.options import TrainingOptions

EVENTS = Path(__file__).parents[1] / "data" / "movielens" / "events.csv.gz"
COLUMNS = (*METRICS, "coverage@10")
# Above the number of items in the data, so nothing is pruned.
UNPRUNED = 10_000


def read_events(path: Path) -> Rows:
    """Return the raw rows in file order."""
    with gzip.open(path, "rt", newline="") as file:
        rows = [(row["user_id"], row["item_id"], float(row["occurred_at"])) for row in csv.DictReader(file)]
    users, items, times = zip(*rows, strict=True)
    return Rows(np.array(users), np.array(items), np.array(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=Path, default=EVENTS)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="last10")
    parser.add_argument("--seeds", type=int, default=5, help="run the seeds 0 .. SEEDS - 1")
    parser.add_argument("--pruning", action="store_true", help="compare numbers of neighbours instead")
    arguments = parser.parse_args()
    rows = read_events(arguments.events)
    if arguments.pruning:
        _pruning(rows, arguments.protocol, arguments.seeds)
    else:
        _quality(rows, arguments.protocol, arguments.seeds)


def _quality(rows: Rows, protocol: str, seeds: int) -> None:
    reports = []
    for seed in range(seeds):
        started = time.monotonic()
        reports.append(evaluate(rows, protocol, seed))
        served = reports[-1].served
        seconds = time.monotonic() - started
        print(f"seed {seed}: served ndcg@10 {served['ndcg@10']:.4f} ± {served['ndcg@10_se']:.4f}, {seconds:.0f} s")
    print(f"\n{protocol}, mean of seeds 0 to {seeds - 1}\n\n| model | " + " | ".join(COLUMNS) + " |")
    print("|---" * (1 + len(COLUMNS)) + "|")
    for name in reports[0].models:
        print(_row(name, [report.models[name] for report in reports]))
    print(_row("**served**", [report.served for report in reports]))


def _row(name: str, measured: list[dict[str, float]]) -> str:
    means = [np.mean([one[column] for one in measured]) for column in COLUMNS]
    return f"| {name} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |"


def _pruning(rows: Rows, protocol: str, seeds: int) -> None:
    print("ndcg@10\n\n| neighbours | served | ease alone | item_item alone |\n|---|---|---|---|")
    for neighbours in (UNPRUNED, 500, 200, 100):
        options = TrainingOptions(neighbours=neighbours, max_entries=UNPRUNED**2)
        reports = [evaluate(rows, protocol, seed, options) for seed in range(seeds)]
        cells = [_mean(reports, None), _mean(reports, "ease"), _mean(reports, "item_item")]
        print(f"| {neighbours} | " + " | ".join(f"{cell:.4f}" for cell in cells) + " |", flush=True)


def _mean(reports: list[Report], model: str | None) -> float:
    measured = [report.served if model is None else report.models[model] for report in reports]
    return float(np.mean([one["ndcg@10"] for one in measured]))


if __name__ == "__main__":
    main()
