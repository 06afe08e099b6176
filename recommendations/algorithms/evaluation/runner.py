"""Evaluate on raw rows: split, train exactly as production does, and measure what would have been served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.artefact import Artefact
from recommendations.algorithms.dataset import Interactions
from recommendations.algorithms.evaluation.metrics import summarise
from recommendations.algorithms.evaluation.protocols import Rows, split
from recommendations.algorithms.history import History, histories_of
from recommendations.algorithms.options import TrainingOptions
from recommendations.algorithms.recommender import Recommender
from recommendations.algorithms.registry import ALGORITHMS
from recommendations.algorithms.scoring import Read
from recommendations.algorithms.training import reads_of, train

LIST_LENGTH = 100
# An item that train never saw; it stays in the denominators.
UNSEEN = -1


@dataclass(frozen=True)
class Report:
    """The measurements of one run; `models` holds each algorithm alone, `served` the blend as production serves it."""

    protocol: str
    seed: int
    models: dict[str, dict[str, Any]]
    served: dict[str, Any]
    chosen: dict[str, Any]
    data: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "models": self.models,
            "served": self.served,
            "chosen": self.chosen,
            "data": self.data,
        }


def evaluate(
    rows: Rows,
    protocol: str,
    seed: int = 0,
    options: TrainingOptions | None = None,
    *,
    with_models: bool = True,
    progress: Callable[[str, float], None] | None = None,
) -> Report:
    """Split the rows, train on the one part and measure on the other.

    The validation fold inside train follows the same protocol. `with_models=False` measures only what is served.

    Raises:
        InvalidSplit: an unknown protocol, or times are needed and missing.
        NothingToLearn: the train part is empty.
    """
    options = replace(options or TrainingOptions(), fold=protocol)  # type: ignore[arg-type]
    parts = split(rows, protocol=protocol, seed=seed)
    interactions = interactions_of(rows, parts.train)
    people, relevant = _relevant(rows, parts.test, interactions)
    everybody = histories_of(interactions)
    histories = [everybody[person] if person >= 0 else History.empty() for person in people]
    artefact = train(interactions, options, progress)

    def measure(judged: Artefact) -> dict[str, float]:
        recommender = Recommender(judged)
        lists = [proposals.items for proposals in recommender.recommend(histories, LIST_LENGTH)]
        return summarise(lists, relevant, item_count=interactions.item_count)

    models: dict[str, dict[str, Any]] = {}
    if with_models:
        for name, read in _best_reads(artefact).items():
            models[name] = {**measure(_alone(read, interactions, artefact, options)), "read": read.label}
    return Report(
        protocol=protocol,
        seed=seed,
        models=models,
        served=dict(measure(artefact)),
        chosen=artefact.chosen,
        data={
            "train_rows": int(parts.train.sum()),
            "test_rows": int(parts.test.sum()),
            "test_people": len(people),
            "train_people": interactions.user_count,
            "train_items": interactions.item_count,
            "unseen_test_items": sum(1 for wanted in relevant for item in wanted if item <= UNSEEN),
        },
    )


def interactions_of(rows: Rows, chosen: NDArray[np.bool_]) -> Interactions:
    """Return the chosen raw rows as interactions; ids are the labels as strings."""
    user_ids, users = np.unique(rows.users[chosen].astype(str), return_inverse=True)
    item_ids, items = np.unique(rows.items[chosen].astype(str), return_inverse=True)
    times = None if rows.times is None else rows.times[chosen]
    return Interactions.from_codes(users, items, times, user_ids.tolist(), item_ids.tolist())


def _relevant(
    rows: Rows, test: NDArray[np.bool_], interactions: Interactions
) -> tuple[list[int], list[frozenset[int]]]:
    """Return the people of the test part and their test items; unseen items get distinct negative numbers."""
    user_code = {label: code for code, label in enumerate(interactions.user_ids)}
    item_code = {label: code for code, label in enumerate(interactions.item_ids)}
    wanted: dict[str, set[int]] = {}
    for user, item in zip(rows.users[test].astype(str), rows.items[test].astype(str), strict=True):
        code = item_code.setdefault(item, UNSEEN - len(item_code))
        wanted.setdefault(user, set()).add(code)
    people = sorted(wanted)
    return [user_code.get(label, -1) for label in people], [frozenset(wanted[label]) for label in people]


def _best_reads(artefact: Artefact) -> dict[str, Read]:
    """Return each kind of algorithm with the read that did best on the validation fold."""
    validated = artefact.chosen["validation_ndcg@10"]
    best: dict[str, Read] = {}
    for algorithm in ALGORITHMS.values():
        kind = algorithm.name.partition("@")[0]
        for read in _validated(reads_of(algorithm), validated):
            if kind not in best or validated[read.label] > validated[best[kind].label]:
                best[kind] = read
    return best


def _validated(reads: Sequence[Read], validated: dict[str, float]) -> list[Read]:
    return [read for read in reads if read.label in validated]


def _alone(read: Read, interactions: Interactions, artefact: Artefact, options: TrainingOptions) -> Artefact:
    """Return an artefact in which one read is the whole blend."""
    fitted = dict(artefact.fitted)
    if read.algorithm not in fitted:
        fitted[read.algorithm] = ALGORITHMS[read.algorithm].fit(interactions, options)
    return replace(artefact, fitted=fitted, reads=(read,), weights=np.ones(1))
