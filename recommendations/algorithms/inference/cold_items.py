"""The people whom items fit that nobody has chosen yet (cold items), and the places of such items in a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import Array, FloatArray, IntArray, Interactions, Matrix
from recommendations.algorithms.data.history import History, RankedHistory, histories_of
from recommendations.algorithms.inference.scoring import Read, Scores, read_scores
from recommendations.algorithms.models.protocol import Fitted, ItemMatrix
from recommendations.algorithms.training_options import TrainingOptions

# Deviations by which an item must be more like somebody's history than the mean item: one that shares no more with them
# than three of ten items do is not.
LEAST_LIKENESS = 1.5
# An item fits at most this share of people: those whose histories are most like it.
REACH = 1 / 3
# People whose histories say what likeness an item has for whom.
MOST_SAMPLED = 500


# One place in so many, without a sign that more of them pay. The first twenty places, which most pages end with, are
# untouched.
EXPLORING = 50


@dataclass(frozen=True, eq=False)
class ColdSlots:
    """A training's decision about places for cold items.

    Attributes:
        every: one place in so many is for a cold item, 0 for none.
        compete: whether cold items may stand wherever the blend puts them; else these places are all that they have
            before everything better known.
        why: a sentence for staff.
        measured: what the decision rests on, as JSON values.
        fit_from: (items,) the likeness above which an item fits somebody, see `cold_fit`.
    """

    every: int
    compete: bool
    why: str
    measured: dict[str, Any] = field(default_factory=dict)
    fit_from: FloatArray = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    @property
    def said(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"every": self.every, "compete": self.compete, "why": self.why, **self.measured}

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> ColdSlots:
        """Return what is told by everything that a training chose; older trainings chose nothing."""
        said = chosen.get("cold", {})
        return cls(int(said.get("every", EXPLORING)), bool(said.get("compete", True)), said.get("why", ""))


@dataclass(frozen=True, eq=False)
class World:
    """All items of the catalogue, and what is known of them besides who chose them.

    Attributes:
        places: where the items of the interactions stand among all.
        content: by name, (items, items) over all.
        reads: how content is read.
    """

    places: IntArray
    content: Mapping[str, Matrix]
    reads: Sequence[Read]

    @property
    def item_count(self) -> int:
        """Return how many items there are."""
        return int(next(iter(self.content.values())).shape[0])

    def known(self) -> NDArray[np.bool_]:
        """Return (items,) marks at those that content can propose."""
        found = np.zeros(self.item_count, dtype=bool)
        for read in self.reads:
            found[self.content[read.algorithm].indices] = True
        return found

    def histories(self, people: Interactions, chosen: Sequence[int]) -> list[RankedHistory]:
        """Return the histories of these people, over all items."""
        everybody = histories_of(people)
        moved = [(everybody[person], self.places[everybody[person].items]) for person in chosen]
        return [RankedHistory.of(History(items, of.times, of.weights), self.item_count) for of, items in moved]

    def alike(self, histories: Sequence[RankedHistory]) -> Iterator[Array]:
        """Yield (items,) likeness for each history, nothing for its own items."""
        fitted: dict[str, Fitted] = {read.algorithm: ItemMatrix(self.content[read.algorithm]) for read in self.reads}
        scored = read_scores(fitted, self.reads, histories, self.item_count)
        for history, scores in zip(histories, scored, strict=True):
            found = likeness(scores, self.item_count)
            found[history.items] = 0.0
            yield found

    def fit_from(self, interactions: Interactions, options: TrainingOptions) -> FloatArray:
        """Return (items,) the likeness that all but REACH of the people have for each item at most."""
        people = np.unique(interactions.users)
        if len(people) > MOST_SAMPLED:
            draw = np.random.default_rng(options.seed)
            people = np.sort(draw.choice(people, MOST_SAMPLED, replace=False))
        items, values = [np.empty(0, dtype=np.int64)], [np.empty(0)]
        for alike in self.alike(self.histories(interactions, people.tolist())):
            high = np.flatnonzero(alike > LEAST_LIKENESS)
            items.append(high)
            values.append(alike[high])
        all_items, all_values = np.concatenate(items), np.concatenate(values)
        order = np.lexsort((-all_values, all_items))
        starts = np.searchsorted(all_items[order], np.arange(self.item_count + 1))
        reached = max(1, int(REACH * len(people)))
        found = np.zeros(self.item_count, dtype=np.float32)
        wide = np.flatnonzero(np.diff(starts) > reached)
        found[wide] = all_values[order][starts[wide] + reached]
        return found


def likeness(scores: Sequence[Scores], item_count: int) -> Array:
    """Return (items,) by how many deviations each item is more like a history than the mean item is.

    The mean over those reads of content that say anything; zeros where none does.
    """
    found = np.zeros(item_count)
    speaking = [read for read in scores if read.deviation > 0]
    for read in speaking:
        read.add_to(found, 1.0 / len(speaking))
        found -= read.mean / read.deviation / len(speaking)
    return found


def least_of(fit_from: FloatArray) -> Array:
    """Return (items,), or one value for all where none are given: what `fitting` compares likeness with."""
    return np.maximum(fit_from.astype(np.float64), LEAST_LIKENESS) if len(fit_from) else np.array(LEAST_LIKENESS)


def fitting(alike: Array, candidates: NDArray[np.bool_], least: Array | float, most: int) -> list[int]:
    """Return those of the candidates that are more `alike` somebody's history than the least, best first."""
    found = np.flatnonzero(candidates & (alike > least))
    return [int(place) for place in found[np.argsort(-alike[found], kind="stable")[:most]]]


def put(ranked: IntArray, fits: Sequence[int], is_cold: NDArray[np.bool_], *, every: int, limit: int) -> IntArray:
    """Put an item that fits on each so-manieth place before which too few cold items are; `every` 0 puts none."""
    found = ranked.tolist()
    for end in range(every, limit + 1, every) if every else ():
        before = set(found[: end - 1])
        if int(is_cold[found[:end]].sum()) >= end // every:
            continue
        item = next((each for each in fits if each not in before), None)
        if item is None:
            break
        if item in found:
            found.remove(item)
        found.insert(min(end - 1, len(found)), item)
    return np.array(found[:limit], dtype=np.int32)
