"""A comparison of what Docent serves with tuned baselines that are independent of it (tests/benchmarks/baselines).

python -m tests.benchmarks.versus                    the core sets, one seed
python -m tests.benchmarks.versus --seeds 3 --cached as published; baselines are read from var/bench where they were
                                                     tuned before, on the same rows and by the same code
python -m tests.benchmarks.versus --others           shapes of data that the engine is not developed on
python -m tests.benchmarks.versus --sets ml_last10 --all     each baseline's figure and parameters too

What is served is what a build with default settings trains, which is not told the protocol; `--validation` says what a
tenant's setting would. Each baseline is tuned on a fold that is cut inside train by the very protocol: it knows more.
The best baseline of a set is picked on test, with hindsight. Intervals: paired bootstrap over people, 95 %, of means
over the seeds.

The status is 1 where what is served is significantly worse than the best baseline on any set, or below it on the mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recommendations.algorithms.metrics.bootstrap import Interval, bootstrap_interval
from recommendations.algorithms.training_options import RANKERS, VALIDATIONS
from tests.benchmarks.baselines.tuning import Tuned
from tests.benchmarks.cached import baselines_of
from tests.benchmarks.cases import CASES, CORE, LONG, OTHERS, Case
from tests.benchmarks.product import Ask, Served, pool, start

COLUMNS = (
    *("set", "best baseline", "its ndcg@10", "**served**", "difference, 95 %", ""),
    *("fold", "recall@20", "people", "train s", "peak MB"),
)
SHORT_PEOPLE, LONG_PEOPLE = 1_000, 5_000


@dataclass(frozen=True, eq=False)
class Outcome:
    """One case: for each seed the baselines, and what was served."""

    case: Case
    baselines: list[list[Tuned]]
    served: list[Served]

    def mean(self, name: str) -> float:
        """The mean NDCG@10 of a baseline over the seeds; 0 where a seed has it not."""
        found = [each.test.mean() for tuned in self.baselines for each in tuned if each.name == name]
        return float(np.mean(found)) if len(found) == len(self.baselines) else 0.0

    @property
    def best(self) -> str:
        return max((each.name for each in self.baselines[0]), key=self.mean)

    @property
    def ours(self) -> float:
        return float(np.mean([each.ndcg.mean() for each in self.served]))

    def lead(self) -> Interval:
        """The difference to the best baseline; people of all seeds are resampled together."""
        differences = [
            served.ndcg - next(each.test for each in tuned if each.name == self.best)
            for served, tuned in zip(self.served, self.baselines, strict=True)
        ]
        same = len({len(each) for each in differences}) == 1 and self.case.name.startswith("ml_")
        return bootstrap_interval(np.mean(differences, axis=0) if same else np.concatenate(differences))


def main() -> None:
    arguments = _arguments()
    cases = [CASES[name] for name in arguments.sets] if arguments.sets else _usual(arguments)
    people = LONG_PEOPLE if arguments.long else SHORT_PEOPLE
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
    outcomes = []
    with pool(arguments.jobs) as executor:
        asked = {
            (case.name, seed): start(executor, _ask(case, seed, people, arguments))
            for case in cases
            for seed in range(arguments.seeds)
        }
        for case in cases:
            tuned = [
                baselines_of(case, case.make(seed), seed=seed, people=people, cached=arguments.cached)
                for seed in range(arguments.seeds)
            ]
            served = [asked[case.name, seed].result() for seed in range(arguments.seeds)]
            outcomes.append(Outcome(case, tuned, served))
            _print(outcomes[-1], every=arguments.all)
    if arguments.json:
        arguments.json.write_text(json.dumps([_plain(each) for each in outcomes], indent=1, default=float))
    sys.exit(_verdict(outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sets", nargs="+", choices=tuple(CASES), metavar="SET", help=", ".join(CASES))
    which.add_argument("--others", action="store_true", help="sets that the engine is not developed on")
    which.add_argument("--long", action="store_true", help="all of them, a million rows too, more people to judge")
    parser.add_argument("--seeds", type=int, default=1, help="run the seeds 0 .. SEEDS - 1")
    parser.add_argument("--cached", action="store_true", help="read tuned baselines where an earlier run wrote them")
    parser.add_argument("--validation", choices=VALIDATIONS, help="instead of what each set says (auto, mostly)")
    parser.add_argument("--ranker", choices=RANKERS, help="instead of the default")
    parser.add_argument("--threads", type=int, default=2, help="of each training")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--all", action="store_true", help="print every baseline, and what was chosen")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here")
    return parser.parse_args()


def _usual(arguments: argparse.Namespace) -> list[Case]:
    return [*CORE, *OTHERS, *LONG] if arguments.long else [*(OTHERS if arguments.others else CORE)]


def _ask(case: Case, seed: int, people: int, arguments: argparse.Namespace) -> Ask:
    options: list[tuple[str, Any]] = [("threads", arguments.threads)]
    if arguments.ranker:
        options.append(("ranker", arguments.ranker))
    return Ask(case.name, seed, people, arguments.validation or case.validation, tuple(options))


def _print(found: Outcome, *, every: bool) -> None:
    lead, theirs = found.lead(), found.mean(found.best)
    cells = [
        found.case.name,
        found.best,
        f"{theirs:.4f}",
        f"**{found.ours:.4f}**",
        f"{lead.mean:+.4f} [{lead.low:+.4f}, {lead.high:+.4f}]",
        f"{found.ours / max(theirs, 1e-9) - 1:+.1%}",
        str(found.served[0].chosen["validation"]["fold"]),
        f"{np.mean([each.recall.mean() for each in found.served]):.4f}",
        f"{len(found.served[0].ndcg):,}",
        f"{np.mean([each.seconds for each in found.served]):.0f}",
        f"{max(each.peak_mb for each in found.served):.0f}",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)
    if every:
        for each in sorted(found.baselines[0], key=lambda tuned: -found.mean(tuned.name)):
            print(f"    {found.mean(each.name):.4f}  {each.name}  {each.parameters}  fold {each.fold:.4f}")
        print(f"    {json.dumps(found.served[0].chosen, default=float)}", flush=True)


def _plain(found: Outcome) -> dict[str, Any]:
    lead = found.lead()
    return {
        "set": found.case.name,
        "protocol": found.case.protocol,
        "baselines": {each.name: found.mean(each.name) for each in found.baselines[0]},
        "parameters": {each.name: each.parameters for each in found.baselines[0]},
        "best": found.best,
        "served": found.ours,
        "difference": [lead.mean, lead.low, lead.high],
        "seconds": [each.seconds for each in found.served],
        "peak_mb": [each.peak_mb for each in found.served],
        "chosen": [each.chosen for each in found.served],
    }


def _verdict(outcomes: list[Outcome]) -> str | int:
    """Return 0, or what to leave with: a sentence, for a status of 1."""
    served = float(np.mean([each.ours for each in outcomes]))
    best = float(np.mean([each.mean(each.best) for each in outcomes]))
    print(f"\nMean over the sets: served {served:.4f}, the best baseline of each {best:.4f}: {served / best - 1:+.1%}")
    below = [each.case.name for each in outcomes if each.ours < each.mean(each.best)]
    print(f"Below the best baseline: {', '.join(below) or 'none'}")
    lost = [each.case.name for each in outcomes if each.lead().high < 0]
    if lost or served <= best:
        return f"Significantly worse on: {', '.join(lost) or 'none'}; on the mean {served - best:+.4f}."
    return 0


if __name__ == "__main__":
    main()
