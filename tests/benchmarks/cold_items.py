"""Measure what places for items that nobody has chosen cost and bring; the table in docs comes from here.

python -m tests.benchmarks.cold_items                     MovieLens latest-small with its titles, seeds 0 to 2
python -m tests.benchmarks.cold_items --set cold_items    a generated set whose people choose new items

Each seed is trained once; the lists of that artefact are made with each number of places.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from dataclasses import replace
from typing import Any

import numpy as np

from recommendations.algorithms.data.tokenize import terms
from recommendations.algorithms.evaluation.heldout_users import HeldOutUsers, expand_to_items
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.metrics.ranking import user_metrics
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions, Validation
from recommendations.algorithms.validation.splitting import Rows, split
from tests.benchmarks.quality import EVENTS, read_events
from tests.benchmarks.sets import cold_items

COLUMNS = ("ndcg@10", "recall@20", "recall@100", "people with new items in the first 20", "new items shown in 100")
VALIDATIONS: dict[str, Validation] = {"last10": "last", "global80": "time"}
# One place in so many, and whether new items compete beside it.
VARIANTS: dict[str, dict[str, Any]] = {
    "none": {"every": 0, "compete": False},
    "one in 50": {"every": 50, "compete": False},
    "one in 20": {"every": 20, "compete": False},
    "one in 10": {"every": 10, "compete": False},
    "competing": {"every": 0, "compete": True},
    "competing, and one in 20": {"every": 20, "compete": True},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=["movielens", "cold_items"], default="movielens")
    parser.add_argument("--protocol", choices=["last10", "global80"], default="last10")
    parser.add_argument("--seeds", type=int, default=3, help="run the seeds 0 .. SEEDS - 1")
    arguments = parser.parse_args()
    rows, catalogue = movielens() if arguments.set == "movielens" else generated()
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(arguments.seeds):
        parts = split(rows, protocol=arguments.protocol, seed=seed)
        interactions = HeldOutUsers.to_interactions(rows, parts.train)
        artefact = train(interactions, TrainingOptions(validation=VALIDATIONS[arguments.protocol]), catalogue=catalogue)
        judges = HeldOutUsers.from_rows(
            rows, parts.test, expand_to_items(interactions, artefact.item_ids), most=None, seed=seed
        )
        chosen = artefact.chosen["cold"]
        print(f"seed {seed}: {len(artefact.cold)} items nobody has chosen; {chosen['why']}", flush=True)
        for name, said in {"as the training decided": chosen, **VARIANTS}.items():
            told = replace(artefact, chosen={**artefact.chosen, "cold": said})
            found.setdefault(name, []).append(measured(told, judges))
    print(f"\n{arguments.set}, {arguments.protocol}, mean of seeds 0 to {arguments.seeds - 1}\n")
    print(f"| places for new items | {' | '.join(COLUMNS)} |\n{'|---' * (1 + len(COLUMNS))}|")
    for name, each in found.items():
        ndcg, recall_20, recall_100, seen, shown = np.mean(each, axis=0)
        print(f"| {name} | {ndcg:.4f} | {recall_20:.4f} | {recall_100:.4f} | {seen:.1%} | {shown:.0f} |", flush=True)


def movielens() -> tuple[Rows, Catalogue]:
    """The rows and the catalogue of MovieLens latest-small."""
    documents = {}
    with gzip.open(EVENTS.with_name("items.csv.gz"), "rt", newline="") as file:
        for row in csv.DictReader(file):
            attributes = json.loads(row["attributes"] or "{}")
            documents[row["item_id"]] = terms(
                title=row["title"], categories=row["categories"].split("|"), attributes=attributes
            )
    return read_events(EVENTS), Catalogue(tuple(documents), list(documents.values()))


def generated() -> tuple[Rows, Catalogue]:
    """A set in which a tenth of what people choose is new (tests.benchmarks.sets)."""
    made = cold_items()
    told = made.catalogue or {}
    return made.rows, Catalogue(tuple(told), [terms(title=title, categories=[kind]) for title, kind in told.values()])


def measured(artefact: Artefact, judges: HeldOutUsers) -> tuple[float, ...]:
    """The columns' values."""
    recommender = Recommender(artefact)
    lists = [each.items.tolist() for each in recommender.recommend(judges.histories, 100)]
    people = [user_metrics(np.array(each), wanted) for each, wanted in zip(lists, judges.relevant, strict=True)]
    pairs = zip(lists, judges.relevant, strict=True)
    return (
        float(np.mean([person["ndcg@10"] for person in people])),
        float(np.mean([person["recall@20"] for person in people])),
        float(np.mean([len(wanted.intersection(each)) / len(wanted) for each, wanted in pairs])),
        float(np.mean([any(map(recommender.is_cold, each[:20])) for each in lists])),
        len({item for each in lists for item in each if recommender.is_cold(item)}),
    )


if __name__ == "__main__":
    main()
