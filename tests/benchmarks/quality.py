"""Measure recommendation quality on MovieLens latest-small, the table in docs comes from here.

python -m tests.benchmarks.quality                       last10, seeds 0 to 4
python -m tests.benchmarks.quality --ranker none         without the second stage
python -m tests.benchmarks.quality --protocol rand10 --seeds 3
python -m tests.benchmarks.quality --pruning             what keeping 500, 200 or 100 neighbours loses

Intervals are of the mean over the seeds: one value per person, averaged over the seeds, people resampled (95 %).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.evaluation.runner import Report, evaluate
from recommendations.algorithms.metrics.bootstrap import Interval, bootstrap_interval, paired_interval
from recommendations.algorithms.metrics.ranking import METRICS
from recommendations.algorithms.training_options import RANKERS, VALIDATIONS, TrainingOptions, Validation
from recommendations.algorithms.validation.splitting import PROTOCOLS, Rows

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
    parser.add_argument("--validation", choices=VALIDATIONS, default="last", help="what the tenant's setting says")
    parser.add_argument("--ranker", choices=RANKERS, help="instead of the default")
    parser.add_argument("--pruning", action="store_true", help="compare numbers of neighbours instead")
    arguments = parser.parse_args()
    rows = read_events(arguments.events)
    if arguments.pruning:
        _pruning(rows, arguments.protocol, arguments.seeds, arguments.validation)
    else:
        options = TrainingOptions(validation=arguments.validation)
        if arguments.ranker:
            options = replace(options, ranker=arguments.ranker)
        _quality(rows, arguments.protocol, arguments.seeds, options)


def _quality(rows: Rows, protocol: str, seeds: int, options: TrainingOptions) -> None:
    reports = []
    for seed in range(seeds):
        started = time.monotonic()
        reports.append(evaluate(rows, protocol, seed, options))
        said = "; ".join(
            f"{name} ndcg@10 {each['ndcg@10']:.4f} ± {each['ndcg@10_se']:.4f}"
            for name, each in [*reports[-1].stages.items(), ("served", reports[-1].served)]
        )
        stage = reports[-1].chosen.get("second_stage", "")
        print(f"seed {seed}: {said}, {time.monotonic() - started:.0f} s {stage}", flush=True)
    columns = " | ".join(COLUMNS)
    print(f"\n{protocol}, mean of seeds 0 to {seeds - 1}\n\n| model | {columns} | ndcg@10, 95 % |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    every = [set(report.measured) for report in reports]
    names = [name for name in reports[0].measured if name != "served" and all(name in each for each in every)]
    for name in names:
        print(_row(name, reports, name))
    print(_row("**served**", reports, "served"))
    best = max((name for name in names if name in reports[0].models), key=lambda name: _of_people(reports, name).mean())
    for other in [best, *(name for name in names if name in reports[0].stages)]:
        lead = paired_interval(_of_people(reports, "served"), _of_people(reports, other))
        print(f"\nserved against {other}: {_said(lead, signed=True)}")


def _of_people(reports: list[Report], name: str) -> NDArray[np.float64]:
    """(people,) NDCG@10, averaged over the seeds; every seed judges the same people."""
    return np.asarray(np.mean([report.measured[name].values["ndcg@10"] for report in reports], axis=0))


def _said(found: Interval, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{found.mean:{sign}.4f} [{found.low:{sign}.4f}, {found.high:{sign}.4f}]"


def _row(title: str, reports: list[Report], name: str) -> str:
    summaries = [report.measured[name].summary() for report in reports]
    means = [np.mean([one[column] for one in summaries]) for column in COLUMNS]
    spread = bootstrap_interval(_of_people(reports, name))
    cells = " | ".join(f"{mean:.4f}" for mean in means)
    return f"| {title} | {cells} | {spread.low:.4f} to {spread.high:.4f} |"


def _pruning(rows: Rows, protocol: str, seeds: int, validation: Validation) -> None:
    print("ndcg@10\n\n| neighbours | served | ease alone | item_item alone |\n|---|---|---|---|")
    for neighbours in (UNPRUNED, 500, 200, 100):
        options = TrainingOptions(validation=validation, neighbours=neighbours, max_entries=UNPRUNED**2)
        reports = [evaluate(rows, protocol, seed, options) for seed in range(seeds)]
        cells = [_mean(reports, None), _mean(reports, "ease"), _mean(reports, "item_item")]
        print(f"| {neighbours} | " + " | ".join(f"{cell:.4f}" for cell in cells) + " |", flush=True)


def _mean(reports: list[Report], model: str | None) -> float:
    measured = [report.served if model is None else report.models[model] for report in reports]
    return float(np.mean([one["ndcg@10"] for one in measured]))


if __name__ == "__main__":
    main()
