"""The users of a test part, and what lists made for them were worth to each."""

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
# An item that train never saw; it stays in the denominators.
UNSEEN = -1
# Lists that are in memory at once.
_CHUNK = 1_000


@dataclass(frozen=True, eq=False)
class Measurements:
    """One value per user and metric, how many rows were known of each, and what only exists over all of them."""

    values: dict[str, NDArray[np.float64]]
    known: tuple[int, ...]
    overall: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """Means with their standard errors, the 95 % interval of NDCG@10, breadth, and the same by segment."""
        found: dict[str, Any] = {}
        for metric, each in self.values.items():
            found[metric] = float(each.mean()) if len(each) else 0.0
            found[f"{metric}_se"] = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else 0.0
        spread = bootstrap_interval(self.values["ndcg@10"])
        return {
            **found,
            "ndcg@10_ci": [spread.low, spread.high],
            **self.overall,
            "segments": summarise_by_segment(self.known, self.values),
        }


@dataclass(frozen=True, eq=False)
class HeldOutUsers:
    """Users of the train part (code, or -1 for strangers) with what they chose afterwards."""

    people: tuple[int, ...]
    relevant: tuple[frozenset[int], ...]
    histories: tuple[History, ...]
    breadth: BeyondAccuracy
    seen: NDArray[np.bool_]
    disliked: tuple[frozenset[int], ...] = ()

    @staticmethod
    def interactions_of(rows: Rows, chosen: NDArray[np.bool_]) -> Interactions:
        """Return the chosen raw rows as interactions; ids are the labels as strings."""
        user_ids, users = np.unique(rows.users[chosen].astype(str), return_inverse=True)
        item_ids, items = np.unique(rows.items[chosen].astype(str), return_inverse=True)
        times = None if rows.times is None else rows.times[chosen]
        strengths = None if rows.strengths is None else rows.strengths[chosen]
        return Interactions.from_codes(users, items, times, user_ids.tolist(), item_ids.tolist(), strengths=strengths)

    @staticmethod
    def weighed(rows: Rows, chosen: NDArray[np.bool_], options: TrainingOptions) -> WeightedInteractions:
        """Return the same with values as strength, chosen on a fold inside these rows where that is left open."""
        if rows.values is None:
            return WeightedInteractions(HeldOutUsers.interactions_of(rows, chosen), {}, {})
        _, users = np.unique(rows.users[chosen].astype(str), return_inverse=True)
        _, items = np.unique(rows.items[chosen].astype(str), return_inverse=True)
        strengths = np.ones(len(users), dtype=np.float32) if rows.strengths is None else rows.strengths[chosen]

        def make(said: FloatArray) -> Interactions:
            all_users = np.ones(len(rows.users), dtype=np.float32)
            all_users[chosen] = said
            return HeldOutUsers.interactions_of(replace(rows, strengths=all_users), chosen)

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
        """Gather the users of the test rows; of more than `most` as many are drawn."""
        users, relevant = _relevant(rows, test, interactions)
        low = test & rows.low if rows.low is not None else np.zeros(len(test), dtype=bool)
        disliked = dict(zip(*_relevant(rows, low, interactions), strict=True))
        if most is not None and len(users) > most:
            drawn = np.sort(np.random.default_rng(seed).choice(len(users), most, replace=False)).tolist()
            users, relevant = [users[place] for place in drawn], [relevant[place] for place in drawn]
        all_users = histories_of(interactions)
        return cls(
            people=tuple(users),
            relevant=tuple(relevant),
            histories=tuple(all_users[user] if user >= 0 else History.empty() for user in users),
            breadth=BeyondAccuracy(interactions),
            seen=interactions.item_counts() > 0,
            disliked=tuple(disliked.get(user, frozenset()) for user in users) if rows.low is not None else (),
        )

    @property
    def unseen(self) -> int:
        """How many test items the train part never saw."""
        return sum(1 for wanted in self.relevant for item in wanted if item <= UNSEEN or not self.seen[item])

    def measure(self, artefact: Artefact) -> Measurements:
        """Make all users' list and compare it with what they chose."""
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
        """Return which share of the hits among the first ten was rated low; nothing where no ratings tell."""
        if not self.disliked:
            return {}
        hits = low = 0
        for ranked, wanted, disliked in zip(lists, self.relevant, self.disliked, strict=True):
            found = wanted.intersection(ranked[:10].tolist())
            hits, low = hits + len(found), low + len(found & disliked)
        return {"disliked_hits@10": low / hits if hits else 0.0}


def expand_to_items(interactions: Interactions, item_ids: Sequence[str]) -> Interactions:
    """Return the same rows over these items, sorted, of which the interactions' own are some."""
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
