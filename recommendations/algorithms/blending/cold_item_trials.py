"""Trials of cold-item slots on a validation fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.blending.selection import MIN_USERS, BlendSelection
from recommendations.algorithms.data.dataset import FloatArray, IntArray
from recommendations.algorithms.data.history import histories_of
from recommendations.algorithms.inference.cold_items import (
    ContentIndex,
    insert_cold_items,
    match_thresholds,
    matching_items,
)
from recommendations.algorithms.validation.folds import Fold

# The length of the lists that are compared.
LENGTH = 100
# Standard errors by which a gain must exceed 0.
MIN_STANDARD_ERRORS = 2.0
_DISCOUNTS = 1.0 / np.log2(np.arange(2, LENGTH + 2))


@dataclass(frozen=True)
class SlotTrial:
    """The effect of cold items on the fold: means over users of differences to lists without any.

    `every` is the interval of the slots; 0 where cold items had none and competed by their content scores.
    """

    every: int
    gain: float
    error: float
    recall_20: float
    recall_100: float
    shown: int
    hits: int

    @property
    def pays(self) -> bool:
        """Return whether it gains beyond noise without a loss in the first twenty positions."""
        return self.gain > MIN_STANDARD_ERRORS * self.error and self.gain > 0 and self.recall_20 >= 0

    def as_json(self) -> dict[str, Any]:
        """Return the trial as JSON values."""
        return {
            "every": self.every,
            "ndcg@100": round(self.gain, 6),
            "ndcg@100_se": round(self.error, 6),
            "recall@20": round(self.recall_20, 6),
            "recall@100": round(self.recall_100, 6),
            "shown": self.shown,
            "hits": self.hits,
        }


def run_trials(
    fold: Fold,
    selection: BlendSelection,
    index: ContentIndex,
    similarity_thresholds: FloatArray,
    intervals: Sequence[int],
) -> list[SlotTrial]:
    """Return a trial of competing and of each interval; none where too few users can judge.

    Cold are all items without a row in the fold's past, including those without one in its future.
    """
    if not selection.weights.any() or selection.users < MIN_USERS:
        return []
    thresholds, ranked = match_thresholds(similarity_thresholds), _ranked_by_user(selection, index.places)
    tallies = [_Tally(every) for every in (0, *intervals)]
    first = 0
    for part, users in zip(fold.parts, selection.candidates.user_codes, strict=True):
        is_cold = index.items_with_content()
        is_cold[index.places[part.past.items]] = False
        future = histories_of(part.future)
        marks = np.append(is_cold, [False])  # the last for the padding of lists
        for place, similarity in enumerate(index.similarities(index.histories(part.past, users.tolist()))):
            relevant = set(index.places[future[users[place]].items].tolist())
            competing = ranked.get(first + place, np.empty(0, dtype=np.int32))
            matches = matching_items(similarity, is_cold, thresholds, LENGTH)
            for tally in tallies:
                tally.add(competing, matches, marks, relevant)
        first += len(users)
    return [tally.trial() for tally in tallies]


@dataclass
class _Tally:
    """A trial in progress."""

    every: int
    differences: list[tuple[float, float, float]] = field(default_factory=list)
    shown: int = 0
    hits: int = 0

    def add(self, competing: IntArray, matches: list[int], is_cold: NDArray[np.bool_], relevant: set[int]) -> None:
        before = _padded(competing[~is_cold[competing]])
        after = (
            insert_cold_items(before, matches, is_cold, every=self.every, limit=LENGTH)
            if self.every
            else _padded(competing)
        )
        new = set(after.tolist()) - set(before.tolist())
        self.shown += len(new)
        self.hits += len(new & relevant)
        pairs = zip(_metrics(after, relevant), _metrics(before, relevant), strict=True)
        ndcg, recall_20, recall_100 = (now - then for now, then in pairs)
        self.differences.append((ndcg, recall_20, recall_100))

    def trial(self) -> SlotTrial:
        ndcg, recall_20, recall_100 = np.array(self.differences).T
        error = float(ndcg.std(ddof=1) / np.sqrt(len(ndcg)))
        means = float(recall_20.mean()), float(recall_100.mean())
        return SlotTrial(self.every, float(ndcg.mean()), error, *means, self.shown, self.hits)


def _ranked_by_user(selection: BlendSelection, places: IntArray) -> dict[int, IntArray]:
    """Return, by the position of each user with hits, the candidates in the blend's order."""
    sets = selection.candidates.sets
    scores = sets.features @ selection.weights
    lists = {}
    for user, start, end in zip(selection.candidates.users_with_hits, sets.starts, sets.ends, strict=True):
        order = np.argsort(-scores[start:end], kind="stable")
        lists[user] = places[sets.items[start:end][order]].astype(np.int32)
    return lists


def _padded(ranked: IntArray) -> IntArray:
    """Return a list of full length; the padding never hits."""
    return np.append(ranked[:LENGTH], np.full(max(0, LENGTH - len(ranked)), -1, dtype=np.int32))


def _metrics(ranked: IntArray, relevant: set[int]) -> tuple[float, float, float]:
    """Return NDCG@100, recall@20 and recall@100 of a list."""
    hits = np.array([item in relevant for item in ranked.tolist()], dtype=bool)
    ideal = _DISCOUNTS[: min(LENGTH, len(relevant))].sum()
    ndcg = float(_DISCOUNTS[: len(hits)][hits].sum() / ideal)
    return ndcg, float(hits[:20].sum() / len(relevant)), float(hits.sum() / len(relevant))
