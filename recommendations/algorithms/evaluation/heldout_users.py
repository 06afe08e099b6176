"""Held-out users of a test part, and the metrics of their lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray, Interactions
from recommendations.algorithms.data.history import History, histories_of
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.metrics.beyond_accuracy import BeyondAccuracy
from recommendations.algorithms.metrics.bootstrap import bootstrap_interval
from recommendations.algorithms.metrics.ranking import METRICS, user_metrics
from recommendations.algorithms.metrics.user_segments import summarise_by_segment
from recommendations.algorithms.training.event_strength import WeightedInteractions, weight_interactions
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold
from recommendations.algorithms.validation.splitting import Rows

LIST_LENGTH = 100
# An item that train has no row of; it stays in the denominators.
UNSEEN = -1
# Lists in memory at once.
_CHUNK = 1_000


@dataclass(frozen=True, eq=False)
class Measurements:
    """Metrics per user, the size of each history, and metrics that only exist over all users."""

    values: dict[str, NDArray[np.float64]]
    known: tuple[int, ...]
    overall: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """Return means with standard errors, the 95 % interval of NDCG@10, beyond-accuracy metrics and segments."""
        means: dict[str, Any] = {}
        for metric, values in self.values.items():
            means[metric] = float(values.mean()) if len(values) else 0.0
            means[f"{metric}_se"] = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
        interval = bootstrap_interval(self.values["ndcg@10"])
        return {
            **means,
            "ndcg@10_ci": [interval.low, interval.high],
            **self.overall,
            "segments": summarise_by_segment(self.known, self.values),
        }


@dataclass(frozen=True, eq=False)
class HeldOutUsers:
    """Users of the test part (code in train, or -1 for unknown ones) with their histories and relevant items."""

    users: tuple[int, ...]
    relevant: tuple[frozenset[int], ...]
    histories: tuple[History, ...]
    breadth: BeyondAccuracy
    seen: NDArray[np.bool_]
    disliked: tuple[frozenset[int], ...] = ()

    @staticmethod
    def to_interactions(rows: Rows, chosen: NDArray[np.bool_]) -> Interactions:
        """Return the chosen raw rows as interactions; ids are the labels as strings."""
        user_ids, users = np.unique(rows.users[chosen].astype(str), return_inverse=True)
        item_ids, items = np.unique(rows.items[chosen].astype(str), return_inverse=True)
        times = None if rows.times is None else rows.times[chosen]
        strengths = None if rows.strengths is None else rows.strengths[chosen]
        return Interactions.from_codes(users, items, times, user_ids.tolist(), item_ids.tolist(), strengths=strengths)

    @staticmethod
    def weighted_interactions(rows: Rows, chosen: NDArray[np.bool_], options: TrainingOptions) -> WeightedInteractions:
        """Return the chosen rows with values as strengths, by a method that a fold inside them chooses if need be."""
        if rows.values is None:
            return WeightedInteractions(HeldOutUsers.to_interactions(rows, chosen), {}, {})
        _, users = np.unique(rows.users[chosen].astype(str), return_inverse=True)
        _, items = np.unique(rows.items[chosen].astype(str), return_inverse=True)
        strengths = np.ones(len(users), dtype=np.float32) if rows.strengths is None else rows.strengths[chosen]

        def make(row_strengths: FloatArray) -> Interactions:
            all_strengths = np.ones(len(rows.users), dtype=np.float32)
            all_strengths[chosen] = row_strengths
            return HeldOutUsers.to_interactions(replace(rows, strengths=all_strengths), chosen)

        return weight_interactions(
            make,
            users=users,
            items=items,
            strengths=strengths,
            values=rows.values.select(chosen),
            fold_maker=lambda interactions: make_fold(interactions, options),
        )

    @classmethod
    def from_rows(
        cls, rows: Rows, test: NDArray[np.bool_], interactions: Interactions, *, most: int | None, seed: int
    ) -> HeldOutUsers:
        """Return the users of the test rows; of more than `most` a random sample."""
        users, relevant = _relevant(rows, test, interactions)
        low = test & rows.low if rows.low is not None else np.zeros(len(test), dtype=bool)
        disliked = dict(zip(*_relevant(rows, low, interactions), strict=True))
        if most is not None and len(users) > most:
            drawn = np.sort(np.random.default_rng(seed).choice(len(users), most, replace=False)).tolist()
            users, relevant = [users[place] for place in drawn], [relevant[place] for place in drawn]
        all_users = histories_of(interactions)
        return cls(
            users=tuple(users),
            relevant=tuple(relevant),
            histories=tuple(all_users[user] if user >= 0 else History.empty() for user in users),
            breadth=BeyondAccuracy(interactions),
            seen=interactions.item_counts() > 0,
            disliked=tuple(disliked.get(user, frozenset()) for user in users) if rows.low is not None else (),
        )

    @property
    def unseen(self) -> int:
        """Return the number of test items that train has no row of."""
        return sum(1 for wanted in self.relevant for item in wanted if item <= UNSEEN or not self.seen[item])

    def measure(self, artefact: Artefact) -> Measurements:
        """Return the metrics of the lists that this artefact makes for the users."""
        recommender = Recommender(artefact)
        lists: list[NDArray[Any]] = []
        for start in range(0, len(self.histories), _CHUNK):
            part = self.histories[start : start + _CHUNK]
            lists += [each.items[:20].copy() for each in recommender.recommend(part, LIST_LENGTH)]
        users = [user_metrics(ranked, wanted) for ranked, wanted in zip(lists, self.relevant, strict=True)]
        shown = {item for ranked in lists for item in ranked[:10].tolist()}
        return Measurements(
            values={metric: np.array([user[metric] for user in users]) for metric in METRICS},
            known=tuple(len(history.items) for history in self.histories),
            overall={
                "coverage@10": len(shown) / len(self.seen) if len(self.seen) else 0.0,
                **self.breadth.measure(lists, self.histories),
                **self._disliked(lists),
            },
        )

    def _disliked(self, lists: Sequence[NDArray[Any]]) -> dict[str, float]:
        """Return the share of low ratings among the hits of the first ten; empty without ratings."""
        if not self.disliked:
            return {}
        hits = low = 0
        for ranked, wanted, disliked in zip(lists, self.relevant, self.disliked, strict=True):
            hit_items = wanted.intersection(ranked[:10].tolist())
            hits, low = hits + len(hit_items), low + len(hit_items & disliked)
        return {"disliked_hits@10": low / hits if hits else 0.0}


def expand_to_items(interactions: Interactions, item_ids: Sequence[str]) -> Interactions:
    """Return the interactions over these sorted items, which include their own."""
    if len(item_ids) == interactions.item_count:
        return interactions
    places = np.searchsorted(np.array(item_ids), np.array(interactions.item_ids)).astype(np.int32)
    return replace(interactions, items=places[interactions.items], item_ids=tuple(item_ids))


def _relevant(
    rows: Rows, test: NDArray[np.bool_], interactions: Interactions
) -> tuple[list[int], list[frozenset[int]]]:
    """Return the users of the test part and their test items; unseen items get distinct negative numbers."""
    user_code = {label: code for code, label in enumerate(interactions.user_ids)}
    item_code = {label: code for code, label in enumerate(interactions.item_ids)}
    wanted: dict[str, set[int]] = {}
    for user, item in zip(rows.users[test].astype(str), rows.items[test].astype(str), strict=True):
        code = item_code.setdefault(item, UNSEEN - len(item_code))
        wanted.setdefault(user, set()).add(code)
    users = sorted(wanted)
    return [user_code.get(label, -1) for label in users], [frozenset(wanted[label]) for label in users]
