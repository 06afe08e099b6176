"""Trials on a validation fold of places for cold items: what they would have brought people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.blending.selection import FEWEST_PEOPLE, Choice
from recommendations.algorithms.data.dataset import FloatArray, IntArray
from recommendations.algorithms.data.history import histories_of
from recommendations.algorithms.inference.cold_items import World, fitting, least_of, put
from recommendations.algorithms.validation.folds import Fold

# The length of the lists that are compared.
LENGTH = 100
# Standard errors by which a gain must be more than nothing.
CLEARLY = 2.0
_DISCOUNTS = 1.0 / np.log2(np.arange(2, LENGTH + 2))


@dataclass(frozen=True)
class Trial:
    """The effect of cold items on the fold: means over people of differences to lists without any.

    `every` is 0 where they competed by what their texts say and had no places of their own.
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
        """True if it brings more beyond noise, and takes nothing from the first twenty places."""
        return self.gain > CLEARLY * self.error and self.gain > 0 and self.recall_20 >= 0

    @property
    def said(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "every": self.every,
            "ndcg@100": round(self.gain, 6),
            "ndcg@100_se": round(self.error, 6),
            "recall@20": round(self.recall_20, 6),
            "recall@100": round(self.recall_100, 6),
            "shown": self.shown,
            "hits": self.hits,
        }


def trials(fold: Fold, choice: Choice, world: World, fit_from: FloatArray, steps: Sequence[int]) -> list[Trial]:
    """Return what competing and each of these numbers of places would have brought the judges; nothing where too few
    people judge.

    Cold are all items without a row in the fold's past, also those that nobody chose afterwards.
    """
    if not choice.weights.any() or choice.people < FEWEST_PEOPLE:
        return []
    least, ranked = least_of(fit_from), _ranked(choice, world.places)
    tallies = [_Tally(every) for every in (0, *steps)]
    first = 0
    for part, judges in zip(fold.parts, choice.basis.judges, strict=True):
        is_cold = world.known()
        is_cold[world.places[part.past.items]] = False
        future = histories_of(part.future)
        marks = np.append(is_cold, [False])  # the last for what fills lists
        for place, alike in enumerate(world.alike(world.histories(part.past, judges.tolist()))):
            wanted = set(world.places[future[judges[place]].items].tolist())
            competing = ranked.get(first + place, np.empty(0, dtype=np.int32))
            fits = fitting(alike, is_cold, least, LENGTH)
            for tally in tallies:
                tally.add(competing, fits, marks, wanted)
        first += len(judges)
    return [tally.trial() for tally in tallies]


@dataclass
class _Tally:
    """A trial that is being made."""

    every: int
    differences: list[tuple[float, float, float]] = field(default_factory=list)
    shown: int = 0
    hits: int = 0

    def add(self, competing: IntArray, fits: list[int], is_cold: NDArray[np.bool_], wanted: set[int]) -> None:
        before = _filled(competing[~is_cold[competing]])
        after = put(before, fits, is_cold, every=self.every, limit=LENGTH) if self.every else _filled(competing)
        new = set(after.tolist()) - set(before.tolist())
        self.shown += len(new)
        self.hits += len(new & wanted)
        pairs = zip(_worth(after, wanted), _worth(before, wanted), strict=True)
        ndcg, recall_20, recall_100 = (now - then for now, then in pairs)
        self.differences.append((ndcg, recall_20, recall_100))

    def trial(self) -> Trial:
        ndcg, recall_20, recall_100 = np.array(self.differences).T
        error = float(ndcg.std(ddof=1) / np.sqrt(len(ndcg)))
        means = float(recall_20.mean()), float(recall_100.mean())
        return Trial(self.every, float(ndcg.mean()), error, *means, self.shown, self.hits)


def _ranked(choice: Choice, places: IntArray) -> dict[int, IntArray]:
    """Return the candidates of each judge whom any read could hit as the blend orders them, by the judge's place."""
    choices = choice.basis.choices
    scores = choices.features @ choice.weights
    lists = {}
    for judge, start, end in zip(choice.basis.hit, choices.starts, choices.ends, strict=True):
        order = np.argsort(-scores[start:end], kind="stable")
        lists[judge] = places[choices.items[start:end][order]].astype(np.int32)
    return lists


def _filled(ranked: IntArray) -> IntArray:
    """Return a list of full length: what follows the candidates hits nothing."""
    return np.append(ranked[:LENGTH], np.full(max(0, LENGTH - len(ranked)), -1, dtype=np.int32))


def _worth(ranked: IntArray, wanted: set[int]) -> tuple[float, float, float]:
    """Return NDCG@100, recall@20 and recall@100 of a list."""
    hits = np.array([item in wanted for item in ranked.tolist()], dtype=bool)
    ideal = _DISCOUNTS[: min(LENGTH, len(wanted))].sum()
    gained = float(_DISCOUNTS[: len(hits)][hits].sum() / ideal)
    return gained, float(hits[:20].sum() / len(wanted)), float(hits.sum() / len(wanted))
