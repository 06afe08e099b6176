"""The served blend against the best of five classics, on MovieLens and on generated sets (tests.benchmarks.sets).

python -m tests.benchmarks.versus            the small sets, a few minutes
python -m tests.benchmarks.versus --unseen   sets that were never used in development
python -m tests.benchmarks.versus --long     all of them, a million rows too, with more people to judge

The status is 1 where the blend is significantly worse than the best classic on any set (paired bootstrap over people,
95 %), or not better on the mean of all.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from recommendations.algorithms.evaluation.bootstrap import paired
from recommendations.algorithms.evaluation.judges import Judges
from recommendations.algorithms.evaluation.protocols import split
from recommendations.algorithms.options import RANKERS, TrainingOptions
from recommendations.algorithms.training import train
from tests.benchmarks.baselines import BASELINES, values
from tests.benchmarks.quality import EVENTS, read_events
from tests.benchmarks.sets import SETS, UNSEEN, Generated

SHORT = ("movielens", "order", "no_times", "cold_items", "fashion", "sparse")
SHORT_PEOPLE, LONG_PEOPLE = 1_000, 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--unseen", action="store_true")
    parser.add_argument("--sets", nargs="+", choices=("movielens", *SETS, *UNSEEN))
    parser.add_argument("--ranker", choices=RANKERS, default="none")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    usual = ("movielens", *SETS) if arguments.long else tuple(UNSEEN) if arguments.unseen else SHORT
    names = arguments.sets or usual
    people = LONG_PEOPLE if arguments.long else SHORT_PEOPLE
    print(
        "ndcg@10\n\n| set | " + " | ".join(BASELINES) + " | **served** | against the best | rows | train s | peak MB |"
    )
    print("|---" * (len(BASELINES) + 6) + "|")
    outcomes = [_row(name, people, arguments.seed, arguments.ranker) for name in names]
    served, best = np.mean([each[:2] for each in outcomes], axis=0)
    print(f"\nMean over the sets: served {served:.4f}, the best classic of each set {best:.4f}")
    lost = [name for name, (*_, high) in zip(names, outcomes, strict=True) if high < 0]
    if lost or served <= best:
        sys.exit(f"Significantly worse on: {', '.join(lost) or 'none'}; on the mean {served - best:+.4f}.")


def _row(name: str, most: int, seed: int, ranker: str) -> tuple[float, float, float]:
    """Print one set's row; return the blend's mean, the best classic's, and the upper end of the difference."""
    made = Generated(read_events(EVENTS), "last10") if name == "movielens" else (SETS | UNSEEN)[name]()
    parts = split(made.rows, protocol=made.protocol, seed=seed)
    data = Judges.interactions_of(made.rows, parts.train)
    judges = Judges.of(made.rows, parts.test, data, most=most, seed=seed)
    options = TrainingOptions(fold=made.protocol, ranker=ranker)  # type: ignore[arg-type]
    found = {}
    for label, fit in BASELINES.items():
        scorer = fit(data, options)
        if scorer is not None:
            found[label] = values(scorer, data, judges.people, judges.relevant)
    started = time.monotonic()
    artefact = train(data, options)
    seconds = time.monotonic() - started
    ours = judges.measure(artefact).values["ndcg@10"]
    best = max(found, key=lambda label: found[label].mean())
    lead = paired(ours, found[best])
    cells = [f"{found[label].mean():.4f}" if label in found else "" for label in BASELINES]
    verdict = f"{lead.mean:+.4f} [{lead.low:+.4f}, {lead.high:+.4f}]"
    # Of this process so far: run a set alone to know its own.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cells += [f"{ours.mean():.4f}", verdict, f"{len(made.rows.users):,}", f"{seconds:.0f}", f"{peak:.0f}"]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return float(ours.mean()), float(found[best].mean()), lead.high


if __name__ == "__main__":
    main()
