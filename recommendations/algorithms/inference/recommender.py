"""Lists for people, from an artefact: the one code path of build, near line, sessions and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray, IntArray
from recommendations.algorithms.data.history import History, RankedHistory
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.inference.artefact import Artefact, UnreadableArtefact
from recommendations.algorithms.inference.cold_items import ColdSlots, fitting, least_of, likeness, put
from recommendations.algorithms.inference.explanation_sources import evidence, families
from recommendations.algorithms.inference.lightgbm_ranker import CANDIDATES, Ranker
from recommendations.algorithms.inference.scoring import Scores, read_scores, vector_scores
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.algorithms.models.registry import ALGORITHMS

__all__ = ["History", "Proposals", "Recommender", "UnknownItem"]

NOTHING = np.empty(0, dtype=np.int32)
# Similar items have so many times as many places for items that nobody has chosen; one must be more than this part as
# much alike as the most alike.
SIMILAR_TIMES, SIMILAR_PART = 2, 0.5
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
        self._content = tuple(place for place, read in enumerate(artefact.reads) if read.algorithm not in ALGORITHMS)
        # Matrices over what people chose.
        self._learnt = tuple(
            place
            for place, read in enumerate(artefact.reads)
            if place not in self._content and not isinstance(self._fitted[read.algorithm], ItemVector)
        )
        self._ranker = _ranker(artefact)
        self._cold = np.zeros(artefact.item_count, dtype=bool)
        self._cold[artefact.cold] = True
        self._slots = ColdSlots.of(artefact.chosen)
        self._least = least_of(artefact.fit_from)

    @property
    def item_count(self) -> int:
        return self.artefact.item_count

    @property
    def has_second_stage(self) -> bool:
        """True if a second stage reorders the best candidates."""
        return self._ranker is not None

    @property
    def lacks_second_stage(self) -> bool:
        """Whether the artefact has a second stage that this host cannot read."""
        return bool(self.artefact.ranker) and self._ranker is None

    def is_cold(self, item: int) -> bool:
        """Whether nobody had chosen the item, so that only its content is known."""
        return bool(self._cold[item])

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
        own_too: bool = False,
    ) -> list[Proposals]:
        """Return one list per history, each independent of the others in the call.

        A person's own items are not proposed, unless `own_too`; never those in `exclude` (for everybody) or
        `exclude_each` (one array per history). Lists have `limit` entries unless the catalogue runs out; popularity
        fills them.

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
            chosen = NOTHING if own_too else history.items
            barred = np.concatenate([chosen, common, own]).astype(np.int32)
            lists.append(self._list(history, scores, barred, limit))
        return lists

    def rank(
        self, history: History, items: IntArray, *, exclude: IntArray | None = None, own_too: bool = False
    ) -> Proposals:
        """Return these items, each once, with the scores that they have for `recommend`, best first.

        Two that a list of `recommend` holds stand in the same order here, except for those that nobody has chosen: it
        holds them back or gives them a place. Equal scores rank by index, whatever the order of `items`. `exclude` and
        `own_too` say what else competes, as for `recommend`; what is given is ranked in any case. The part is empty
        where nothing is known of an item.

        Raises:
            ValueError: a history that does not fit the artefact.
        """
        known = RankedHistory.of(history, self.item_count)
        (scores,) = read_scores(self._fitted, self.artefact.reads, [known], self.item_count)
        barred = np.concatenate([NOTHING if own_too else known.items, NOTHING if exclude is None else exclude])
        artefact, total, top = self._blended(known, scores, barred.astype(np.int32), CANDIDATES if self._ranker else 0)
        place = np.full(self.item_count, self.item_count)
        place[top] = np.arange(len(top))  # the second stage tells items apart that the blend does not
        order = np.lexsort((items, place[items], -total[items]))
        ranked = items[order]
        counts = self._vector("popularity").values[ranked]
        parts = families(artefact, scores, ranked)
        return Proposals(
            items=ranked,
            scores=total[ranked].astype(np.float32),
            evidence=evidence(artefact, known, scores, ranked),
            parts=tuple(
                "" if part == "popularity" and not count else part
                for part, count in zip(parts, counts.tolist(), strict=True)
            ),
        )

    def similar(self, item: int, limit: int = 20, *, exclude: IntArray | None = None) -> Proposals:
        """Return the items that having `item` speaks most for; popularity does not fill this list.

        Raises:
            UnknownItem: no such index.
        """
        if not 0 <= item < self.item_count:
            raise UnknownItem(f"item {item} is outside 0..{self.item_count - 1}")
        barred = np.append(NOTHING if exclude is None else exclude, item)
        chosen_with = self._row(self.artefact.chosen["similar_from"], item)
        alike = np.zeros(self.item_count)
        for name in {self.artefact.reads[place].algorithm for place in self._content}:
            alike = np.maximum(alike, self._row(name, item))
        # What is only alike comes after what was chosen together.
        scores = np.where(chosen_with > 0, 1.0 + chosen_with, alike)
        top = _top(scores + self._fill * (scores > 0), barred, limit)
        top = top[scores[top] > 0]
        fits = fitting(alike, self._waiting(barred), SIMILAR_PART, limit)
        top = put(top, fits, self._cold, every=-(-self._slots.every // SIMILAR_TIMES), limit=limit)
        return Proposals(
            items=top,
            scores=_falling(scores[top]),
            evidence=np.tile(np.array([item, -1], dtype=np.int32), (len(top), 1)),
            parts=tuple("item_item" if chosen_with[each] > 0 else "text" for each in top),
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
        artefact, total, top = self._blended(history, scores, barred, limit)
        if self._content and len(self.artefact.cold):
            alike = likeness([scores[place] for place in self._content], self.item_count)
            fits = fitting(alike, self._waiting(barred), self._least, limit)
            top = put(top, fits, self._cold, every=self._slots.every, limit=limit)
            if len(top) < limit:  # all that is better known is there
                rest = _top(total, np.concatenate([barred, top]), limit - len(top))
                top = np.concatenate([top, rest])
        spoken = evidence(artefact, history, scores, top)
        return Proposals(
            items=top,
            scores=_falling(total[top]),
            evidence=spoken,
            parts=families(artefact, scores, top),
        )

    def _blended(
        self, history: RankedHistory, scores: list[Scores], barred: IntArray, limit: int
    ) -> tuple[Artefact, NDArray[np.float64], IntArray]:
        """Return how the artefact was read, every item's score, and the `limit` best items without the barred ones and
        without those held back because nobody has chosen them.

        Where there is a second stage its order is in both: the best candidates trade their scores.
        """
        total = self._fill.copy()
        artefact = self._for_what_is_known(scores)
        for read, weight in zip(scores, artefact.weights, strict=True):
            read.add_to(total, weight)
        if not self._slots.compete and artefact is self.artefact:
            barred = np.concatenate([barred, self.artefact.cold])
        top = _top(total, barred, limit if self._ranker is None else max(limit, CANDIDATES))
        if self._ranker is not None and len(history.items) and artefact is self.artefact:
            top = self._reordered(self._ranker, top, scores, total, known=len(history.items))
        return artefact, total, top[:limit]

    def _for_what_is_known(self, scores: list[Scores]) -> Artefact:
        """Return the artefact, or one in which content speaks for the parts that learn from choices, where all of these
        are silent: a history of nothing but new items. Else popularity would be all that is heard."""
        spoken = [scores[place].deviation > 0 for place in self._content]
        if not any(spoken) or any(scores[place].deviation > 0 for place in self._learnt):
            return self.artefact
        weights = self.artefact.weights.copy()
        content = np.array(self._content)[spoken]
        weights[content] += weights[list(self._learnt)].sum() / len(content)
        return replace(self.artefact, weights=weights)

    def _reordered(
        self, ranker: Ranker, top: IntArray, scores: list[Scores], total: NDArray[np.float64], *, known: int
    ) -> IntArray:
        """Return the list with its best candidates in the second stage's order; in `total` they trade their scores."""
        best = top[:CANDIDATES]
        if not len(best):
            return top
        scratch = np.zeros(self.item_count)
        said = np.stack([score.standardised(scratch, best) for score in scores], axis=1)
        counts = self._vector("popularity").values[best].astype(np.float64)
        places = lightgbm_ranker.order(ranker.scores(said, said @ self.artefact.weights, counts, known))
        total[best[places]] = total[best]
        return np.concatenate([best[places], top[CANDIDATES:]])

    def _row(self, name: str, item: int) -> NDArray[np.float64]:
        """Return (items,) what the item speaks for in this matrix, 1 at most."""
        part = self._fitted[name]
        assert not isinstance(part, ItemVector)
        row = part.between(np.array([item], dtype=np.int32), np.arange(self.item_count, dtype=np.int32))[0]
        return np.asarray(row / max(1e-12, row.max(initial=0.0)))

    def _waiting(self, barred: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return (items,) marks at those that nobody has chosen, without the barred ones."""
        found = self._cold.copy()
        found[barred] = False
        return found

    def _vector(self, name: str) -> ItemVector:
        part = self._fitted[name]
        assert isinstance(part, ItemVector)
        return part


def _ranker(artefact: Artefact) -> Ranker | None:
    """Return the artefact's second stage; none where this host cannot read one, so the blend's order is served.

    Raises:
        UnreadableArtefact: its text is not a second stage.
    """
    if not artefact.ranker or not lightgbm_ranker.is_usable():
        return None
    try:
        return Ranker(artefact.ranker)
    except lightgbm_ranker.UnreadableRanker as error:
        raise UnreadableArtefact(str(error)) from error


def _falling(scores: NDArray[np.float64]) -> FloatArray:
    """Return scores that never rise: an item that was given a place has the score of the one before it at most."""
    return np.minimum.accumulate(scores).astype(np.float32)


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
