"""Lists for people, from an artefact: the one code path of build, near line, sessions and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.artefact import Artefact
from recommendations.algorithms.dataset import FloatArray, IntArray
from recommendations.algorithms.evidence import evidence, families
from recommendations.algorithms.history import History, RankedHistory
from recommendations.algorithms.protocol import ItemMatrix, ItemVector
from recommendations.algorithms.scoring import Scores, read_scores, vector_scores

__all__ = ["History", "Proposals", "Recommender", "UnknownItem"]

NOTHING = np.empty(0, dtype=np.int32)
# What the most popular item gets on top of its score: below any real difference, so it only fills lists and breaks
# ties.
FILL = 1e-6


class UnknownItem(IndexError):
    """The index is not one of the artefact's items."""


@dataclass(frozen=True, eq=False)
class Proposals:
    """One person's list, best first.

    Attributes:
        items: (n,) item indices.
        scores: (n,) descending; comparable within this list only.
        evidence: (n, 2) the history items that spoke most for each proposal, -1 where there is none.
        parts: (n,) the family of algorithms that spoke most for each proposal, such as "item_item" or
            "recent_popularity". "popularity" where nothing else spoke for it.
    """

    items: IntArray
    scores: FloatArray
    evidence: IntArray
    parts: tuple[str, ...]


class Recommender:
    """Reads an artefact. Holds no state between calls, so threads may share it."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        self._fitted = dict(artefact.fitted)
        popularity = self._vector("popularity").values.astype(np.float64)
        self._fill = FILL * popularity / max(1.0, popularity.max(initial=0.0))

    @property
    def item_count(self) -> int:
        return self.artefact.item_count

    @property
    def recent_days(self) -> tuple[int, ...]:
        """Half-lives in days that `popular` accepts; none for data without times."""
        prefix = "recent_popularity@"
        return tuple(int(name[len(prefix) : -1]) for name in self._fitted if name.startswith(prefix))

    def recommend(
        self,
        histories: Sequence[History],
        limit: int = 100,
        *,
        exclude: IntArray | None = None,
        exclude_each: Sequence[IntArray] | None = None,
    ) -> list[Proposals]:
        """Return one list per history, each independent of the others in the call.

        A person's own items are never proposed, nor those in `exclude` (for everybody) or `exclude_each` (one array
        per history). Lists have `limit` entries unless the catalogue runs out; popularity fills them.

        Raises:
            ValueError: a history or an exclusion that does not fit the artefact.
        """
        if exclude_each is not None and len(exclude_each) != len(histories):
            raise ValueError(f"{len(histories)} histories and {len(exclude_each)} exclusions: give one per history")
        ranked = [RankedHistory.of(history, self.item_count) for history in histories]
        common = NOTHING if exclude is None else exclude
        scored = read_scores(self._fitted, self.artefact.reads, ranked, self.item_count)
        lists = []
        for index, (history, scores) in enumerate(zip(ranked, scored, strict=True)):
            own = NOTHING if exclude_each is None else exclude_each[index]
            barred = np.concatenate([history.items, common, own]).astype(np.int32)
            lists.append(self._list(history, scores, barred, limit))
        return lists

    def similar(self, item: int, limit: int = 20, *, exclude: IntArray | None = None) -> Proposals:
        """Return the items that having `item` speaks most for; popularity does not fill this list.

        Raises:
            UnknownItem: no such index.
        """
        if not 0 <= item < self.item_count:
            raise UnknownItem(f"item {item} is outside 0..{self.item_count - 1}")
        part = self._fitted[self.artefact.chosen["similar_from"]]
        assert isinstance(part, ItemMatrix)
        start, end = part.values.indptr[item], part.values.indptr[item + 1]
        scores = np.zeros(self.item_count)
        scores[part.values.indices[start:end]] = part.values.data[start:end]
        top = _top(scores + self._fill * (scores > 0), np.append(NOTHING if exclude is None else exclude, item), limit)
        top = top[scores[top] > 0]
        return Proposals(
            items=top,
            scores=scores[top].astype(np.float32),
            evidence=np.tile(np.array([item, -1], dtype=np.int32), (len(top), 1)),
            parts=("item_item",) * len(top),
        )

    def popular(self, limit: int = 100, *, days: int | None = None, exclude: IntArray | None = None) -> Proposals:
        """Return the most popular items of all time, or with rows fading by half in `days` (see recent_days).

        Raises:
            ValueError: a half-life that was not trained.
        """
        if days is not None and days not in self.recent_days:
            raise ValueError(f"no popularity with a half-life of {days} days: choose from {self.recent_days}")
        name = "popularity" if days is None else f"recent_popularity@{days}d"
        scores = vector_scores(self._vector(name))
        total = scores.values.astype(np.float64)
        top = _top(total, NOTHING if exclude is None else exclude, limit)
        return Proposals(
            items=top,
            scores=total[top].astype(np.float32),
            evidence=np.full((len(top), 2), -1, dtype=np.int32),
            parts=(name.partition("@")[0],) * len(top),
        )

    def _list(self, history: RankedHistory, scores: list[Scores], barred: IntArray, limit: int) -> Proposals:
        total = self._fill.copy()
        for read, weight in zip(scores, self.artefact.weights, strict=True):
            read.add_to(total, weight)
        top = _top(total, barred, limit)
        spoken = evidence(self.artefact, history, scores, top)
        return Proposals(
            items=top,
            scores=total[top].astype(np.float32),
            evidence=spoken,
            parts=families(self.artefact, scores, top),
        )

    def _vector(self, name: str) -> ItemVector:
        part = self._fitted[name]
        assert isinstance(part, ItemVector)
        return part


def _top(scores: NDArray[np.float64], barred: NDArray[np.integer], limit: int) -> IntArray:
    """Return up to `limit` items by falling score, equal scores by index, without the barred ones."""
    allowed = scores.copy()
    allowed[barred] = -np.inf
    room = min(limit, len(allowed))
    if room <= 0:
        return NOTHING
    # The cut-off first, then everything at or above it: which of several equal items come last is decided by index.
    cut = np.partition(allowed, len(allowed) - room)[len(allowed) - room]
    picked = np.flatnonzero((allowed >= cut) & (allowed > -np.inf))
    return picked[np.argsort(-allowed[picked], kind="stable")][:room].astype(np.int32)
