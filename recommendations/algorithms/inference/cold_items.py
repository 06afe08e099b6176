"""Items without interactions (cold items): the users they match, and their slots in a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import Array, FloatArray, IntArray, Interactions, Matrix
from recommendations.algorithms.data.history import History, RankedHistory, histories_of
from recommendations.algorithms.inference.scoring import ScoreBlock, ScorerConfig, Scores, score_histories
from recommendations.algorithms.models.protocol import Fitted, ItemMatrix
from recommendations.algorithms.training_options import TrainingOptions

# Standard deviations by which an item must be more similar to a history than the mean item: sharing no more with it
# than three of ten items do is not enough.
MIN_SIMILARITY = 1.5
# An item matches at most this share of users: those with the most similar histories.
MAX_USER_SHARE = 1 / 3
# Users whose histories set the thresholds.
MAX_SAMPLED_USERS = 500
# One slot in this many positions, without a sign that more pay off: the first twenty, where most pages end, have none.
EXPLORATION_INTERVAL = 50


@dataclass(frozen=True, eq=False)
class ColdItemSlots:
    """A training's decision about slots for cold items.

    Attributes:
        every: one slot in this many positions, 0 for none.
        compete: whether cold items may stand wherever the blend ranks them; else the slots are all that they have
            before everything better known.
        why: a sentence for staff.
        measured: the evidence of the decision, as JSON values.
        similarity_thresholds: (items,) the similarity above which an item matches a user.
    """

    every: int
    compete: bool
    why: str
    measured: dict[str, Any] = field(default_factory=dict)
    similarity_thresholds: FloatArray = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    def as_json(self) -> dict[str, Any]:
        """Return the part that an artefact keeps in `chosen`."""
        return {"every": self.every, "compete": self.compete, "why": self.why, **self.measured}

    @classmethod
    def from_chosen(cls, chosen: Mapping[str, Any]) -> ColdItemSlots:
        """Return the decision in an artefact's `chosen`, or the defaults for an artefact from before there was one."""
        stored = chosen.get("cold", {})
        every, compete = int(stored.get("every", EXPLORATION_INTERVAL)), bool(stored.get("compete", True))
        return cls(every, compete, stored.get("why", ""))


@dataclass(frozen=True, eq=False)
class ContentIndex:
    """All items, and the content that is known of them.

    Attributes:
        places: indices of the interactions' items among all.
        content: by name, (items, items) over all items.
        scorers: of the content in the blend.
    """

    places: IntArray
    content: Mapping[str, Matrix]
    scorers: Sequence[ScorerConfig]

    @property
    def item_count(self) -> int:
        return int(next(iter(self.content.values())).shape[0])

    def items_with_content(self) -> NDArray[np.bool_]:
        """Return (items,) marks at those that content can recommend."""
        marks = np.zeros(self.item_count, dtype=bool)
        for scorer in self.scorers:
            marks[self.content[scorer.algorithm].indices] = True
        return marks

    def histories(self, interactions: Interactions, users: Sequence[int]) -> list[RankedHistory]:
        """Return the histories of these users, over all items."""
        histories = histories_of(interactions)
        return [
            RankedHistory.from_history(
                History(self.places[histories[user].items], histories[user].times, histories[user].weights),
                self.item_count,
            )
            for user in users
        ]

    def similarities(self, histories: Sequence[RankedHistory]) -> Iterator[Array]:
        """Yield (items,) content similarity to each history, 0 for its own items."""
        fitted: dict[str, Fitted] = {
            scorer.algorithm: ItemMatrix(self.content[scorer.algorithm]) for scorer in self.scorers
        }
        all_scores = score_histories(fitted, self.scorers, histories, self.item_count)
        for history, scores in zip(histories, all_scores, strict=True):
            similarity = content_similarity(scores, self.item_count)
            similarity[history.items] = 0.0
            yield similarity

    def similarity_thresholds(self, interactions: Interactions, options: TrainingOptions) -> FloatArray:
        """Return (items,) the similarity that at most MAX_USER_SHARE of the users exceed for each item."""
        users = np.unique(interactions.users)
        if len(users) > MAX_SAMPLED_USERS:
            draw = np.random.default_rng(options.seed)
            users = np.sort(draw.choice(users, MAX_SAMPLED_USERS, replace=False))
        items, values = [np.empty(0, dtype=np.int64)], [np.empty(0)]
        for similarity in self.similarities(self.histories(interactions, users.tolist())):
            high = np.flatnonzero(similarity > MIN_SIMILARITY)
            items.append(high)
            values.append(similarity[high])
        all_items, all_values = np.concatenate(items), np.concatenate(values)
        order = np.lexsort((-all_values, all_items))
        starts = np.searchsorted(all_items[order], np.arange(self.item_count + 1))
        rank = max(1, int(MAX_USER_SHARE * len(users)))
        thresholds = np.zeros(self.item_count, dtype=np.float32)
        common = np.flatnonzero(np.diff(starts) > rank)
        thresholds[common] = all_values[order][starts[common] + rank]
        return thresholds


def content_similarity(scores: Sequence[Scores], item_count: int) -> Array:
    """Return (items,) by how many standard deviations each item is more similar to a history than the mean item.

    The mean over the content scorers that are not constant; zeros where all are.
    """
    similarity = np.zeros(item_count)
    informative = [own for own in scores if own.deviation > 0]
    for own in informative:
        own.add_to(similarity, 1.0 / len(informative))
        similarity -= own.mean / own.deviation / len(informative)
    return similarity


def block_similarity(block: ScoreBlock, places: Sequence[int], items: IntArray) -> Array:
    """Return (users, items) `content_similarity` of these items, by the scorers at these places."""
    similarity = np.zeros((block.deviations.shape[1], len(items)))
    informative = block.deviations[list(places)] > 0
    share = 1.0 / np.maximum(1, informative.sum(axis=0))
    for place, used in zip(places, informative, strict=True):
        scale = np.where(used, share / np.where(used, block.deviations[place], 1.0), 0.0)
        similarity += (block.tables[place][:, items] - block.means[place][:, None]) * scale[:, None]
    return similarity


def match_thresholds(similarity_thresholds: FloatArray) -> Array:
    """Return the (items,) thresholds of `matching_items`, or one for all items where an artefact has none."""
    if not len(similarity_thresholds):
        return np.array(MIN_SIMILARITY)
    return np.maximum(similarity_thresholds.astype(np.float64), MIN_SIMILARITY)


def matching_items(
    similarity: NDArray[np.floating], candidates: NDArray[np.bool_], thresholds: Array | float, limit: int
) -> list[int]:
    """Return the candidates whose similarity exceeds their threshold, best first."""
    items = np.flatnonzero(candidates & (similarity > thresholds))
    return [int(item) for item in items[np.argsort(-similarity[items], kind="stable")[:limit]]]


def insert_cold_items(
    ranked: IntArray, matches: Sequence[int], is_cold: NDArray[np.bool_], *, every: int, limit: int
) -> IntArray:
    """Insert a matching item at each `every`-th position that has too few cold items up to it; 0 inserts none."""
    if not every or not len(matches):
        return ranked[:limit]
    items, cold = ranked.tolist(), is_cold[ranked].tolist()
    for end in range(every, limit + 1, every):
        if sum(cold[:end]) >= end // every:
            continue
        before = set(items[: end - 1])
        item = next((match for match in matches if match not in before), None)
        if item is None:
            break
        if item in items:
            place = items.index(item)
            del items[place], cold[place]
        place = min(end - 1, len(items))
        items.insert(place, item)
        cold.insert(place, bool(is_cold[item]))
    return np.array(items[:limit], dtype=np.int32)
