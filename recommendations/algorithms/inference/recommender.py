"""Recommends items to users from an artefact: the one code path of builds, nearline, sessions and evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray, IntArray
from recommendations.algorithms.data.history import History, RankedHistory, rank_histories
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.blender import NO_ITEMS, Blended, Blender, top_items
from recommendations.algorithms.inference.cold_items import (
    block_similarity,
    insert_cold_items,
    match_thresholds,
    matching_items,
)
from recommendations.algorithms.inference.explanation_sources import evidence, families
from recommendations.algorithms.inference.lightgbm_ranker import CANDIDATES
from recommendations.algorithms.inference.scoring import ScoreBlock, constant_scores, score_blocks
from recommendations.algorithms.models.protocol import ItemVector

__all__ = ["History", "Recommendations", "Recommender", "UnknownItem"]

# Similar items have this many times as many slots for cold items as lists of users; a cold item's similarity must
# exceed this share of the most similar item's.
SIMILAR_SLOTS_FACTOR, SIMILAR_MIN_SHARE = 2, 0.5
# Items whose similar items are computed by one product.
SIMILAR_BLOCK = 64


class UnknownItem(IndexError):
    """The index is not one of the artefact's items."""


@dataclass(frozen=True, eq=False)
class Recommendations:
    """One list of items, best first.

    Attributes:
        items: (n,) item indices.
        scores: (n,) descending; comparable within this list only.
        evidence: (n, 2) the history items that contributed most to each item, -1 where there is none.
        families: (n,) the family of algorithms that contributed most to each item, such as "item_item" or
            "recent_popularity"; "popularity" where none did.
    """

    items: IntArray
    scores: FloatArray
    evidence: IntArray
    families: tuple[str, ...]


class Recommender:
    """Recommends from an artefact. Holds no state between calls, so threads may share it."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        self._blender = Blender(artefact)
        self._fitted = dict(artefact.fitted)
        self._constant = constant_scores(self._fitted, artefact.scorers)
        self._cold = np.zeros(artefact.item_count, dtype=bool)
        self._cold[artefact.cold] = True
        self._thresholds = match_thresholds(artefact.similarity_thresholds)

    @property
    def item_count(self) -> int:
        return self.artefact.item_count

    @property
    def has_second_stage(self) -> bool:
        """Return whether a second stage reorders the best candidates."""
        return self._blender.ranker is not None

    @property
    def lacks_second_stage(self) -> bool:
        """Return whether the artefact has a second stage that this host cannot read."""
        return bool(self.artefact.ranker) and self._blender.ranker is None

    def is_cold(self, item: int) -> bool:
        """Return whether the item has no interactions, so that only its content is known."""
        return bool(self._cold[item])

    def recommend(
        self,
        histories: Sequence[History],
        limit: int = 100,
        *,
        filter_already_liked_items: bool = True,
        filter_items: IntArray | None = None,
        filter_user_items: Sequence[IntArray] | None = None,
    ) -> list[Recommendations]:
        """Return one list per history, each independent of the others in the call.

        Lists have `limit` entries unless the catalogue runs out; popularity fills them.

        Args:
            histories: one per user.
            limit: the length of the lists.
            filter_already_liked_items: leave out the items of each user's own history.
            filter_items: items to leave out for all users.
            filter_user_items: for each history, more items to leave out.

        Raises:
            ValueError: a history or a filter that does not fit the artefact.
        """
        if filter_user_items is not None and len(filter_user_items) != len(histories):
            raise ValueError(f"{len(histories)} histories and {len(filter_user_items)} filters: give one per history")
        for_all = NO_ITEMS if filter_items is None else filter_items
        filters = iter(filter_user_items or itertools.repeat(NO_ITEMS, len(histories)))
        lists: list[Recommendations] = []
        ranked = rank_histories(histories, self.item_count)
        for block, scores in self._score_blocks(ranked):
            liked = [history.items if filter_already_liked_items else NO_ITEMS for history in block]
            excluded = [
                np.concatenate([items, for_all, own]).astype(np.int32)
                for items, own in zip(liked, filters, strict=False)
            ]
            lists += self._recommend(block, scores, excluded, limit)
        return lists

    def rank(
        self,
        history: History,
        items: IntArray,
        *,
        filter_already_liked_items: bool = True,
        filter_items: IntArray | None = None,
    ) -> Recommendations:
        """Return these items, each once, with their scores for `recommend`, best first.

        Two that a list of `recommend` holds have the same order here, except for cold items, which have slots there.
        Equal scores rank by index, whatever the order of `items`. The filters say what else competes, as for
        `recommend`; the given items are ranked in any case. The family is empty where nothing is known of an item.

        Raises:
            ValueError: a history that does not fit the artefact.
        """
        histories = rank_histories([history], self.item_count)
        ((_, block),) = self._score_blocks(histories)
        liked = histories[0].items if filter_already_liked_items else NO_ITEMS
        excluded = np.concatenate([liked, NO_ITEMS if filter_items is None else filter_items]).astype(np.int32)
        limit = CANDIDATES if self.has_second_stage else 0
        blended = self._blender.blend([len(histories[0].items)], block, [excluded], limit)
        position = np.full(self.item_count, self.item_count)
        position[blended.items[0]] = np.arange(len(blended.items[0]))  # the second stage separates the blend's ties
        scores = blended.scores[0]
        ranked = items[np.lexsort((items, position[items], -scores[items]))]
        (sources,), (own_families,) = self._explained(histories, block, blended, [ranked])
        is_popular = self._blender.popularity[ranked] > 0
        return Recommendations(
            items=ranked,
            scores=scores[ranked].astype(np.float32),
            evidence=sources,
            families=tuple(
                "" if family == "popularity" and not known else family
                for family, known in zip(own_families, is_popular.tolist(), strict=True)
            ),
        )

    def similar_items(self, item: int, limit: int = 20, *, filter_items: IntArray | None = None) -> Recommendations:
        """Return the items most similar to `item`; popularity does not fill this list.

        Raises:
            UnknownItem: no such index.
        """
        (similar,) = self.iter_similar_items([item], limit, filter_items=filter_items)
        return similar

    def iter_similar_items(
        self, items: Sequence[int], limit: int = 20, *, filter_items: IntArray | None = None
    ) -> Iterator[Recommendations]:
        """Yield `similar_items` of each item; much faster for many.

        Raises:
            UnknownItem: no such index.
        """
        for item in items:
            if not 0 <= item < self.item_count:
                raise UnknownItem(f"item {item} is outside 0..{self.item_count - 1}")
        names = {self.artefact.scorers[place].algorithm for place in self._blender.content}
        for start in range(0, len(items), SIMILAR_BLOCK):
            block = np.array(items[start : start + SIMILAR_BLOCK], dtype=np.int32)
            collaborative = self._similarities(self.artefact.chosen["similar_from"], block)
            content = np.zeros_like(collaborative)
            for name in names:
                np.maximum(content, self._similarities(name, block), out=content)
            for item, own, own_content in zip(block.tolist(), collaborative, content, strict=True):
                excluded = np.append(NO_ITEMS if filter_items is None else filter_items, item)
                yield self._similar(item, own, own_content, excluded, limit)

    def _similar(
        self, item: int, collaborative: FloatArray, content: FloatArray, excluded: IntArray, limit: int
    ) -> Recommendations:
        # Items that only have similar content come after those chosen by the same users.
        scores = np.where(collaborative > 0, 1.0 + collaborative.astype(np.float64), content)
        top = top_items(scores + self._blender.fill * (scores > 0), excluded, limit)
        top = top[scores[top] > 0]
        matches = matching_items(content, self._cold_except(excluded), SIMILAR_MIN_SHARE, limit)
        every = -(-self._blender.slots.every // SIMILAR_SLOTS_FACTOR)
        top = insert_cold_items(top, matches, self._cold, every=every, limit=limit)
        return Recommendations(
            items=top,
            scores=_non_increasing(scores[top]),
            evidence=np.tile(np.array([item, -1], dtype=np.int32), (len(top), 1)),
            families=tuple(["item_item" if known else "text" for known in (collaborative[top] > 0).tolist()]),
        )

    def popular_items(self, limit: int = 100) -> Recommendations:
        """Return the items with the most interactions."""
        scores = self._blender.popularity.astype(np.float64)
        top = top_items(scores, NO_ITEMS, limit)
        return Recommendations(
            items=top,
            scores=scores[top].astype(np.float32),
            evidence=np.full((len(top), 2), -1, dtype=np.int32),
            families=("popularity",) * len(top),
        )

    def _score_blocks(self, histories: Sequence[RankedHistory]) -> Iterator[tuple[Sequence[RankedHistory], ScoreBlock]]:
        return score_blocks(self._fitted, self.artefact.scorers, histories, self.item_count, self._constant)

    def _recommend(
        self, histories: Sequence[RankedHistory], block: ScoreBlock, excluded: Sequence[IntArray], limit: int
    ) -> list[Recommendations]:
        blended = self._blender.blend([len(history.items) for history in histories], block, excluded, limit)
        tops = blended.items
        if self._blender.content and len(self.artefact.cold):
            tops = self._with_cold_items(block, blended, excluded, limit)
        sources, names = self._explained(histories, block, blended, tops)
        return [
            Recommendations(top, _non_increasing(scores[top]), own_sources, own_names)
            for top, scores, own_sources, own_names in zip(tops, blended.scores, sources, names, strict=True)
        ]

    def _with_cold_items(
        self, block: ScoreBlock, blended: Blended, excluded: Sequence[IntArray], limit: int
    ) -> list[IntArray]:
        """Return the best items of each user with the matching cold items in their slots."""
        cold, every = self.artefact.cold, self._blender.slots.every
        similarities = block_similarity(block, self._blender.content, cold)
        thresholds = np.broadcast_to(self._thresholds, (self.item_count,))[cold]
        matching = similarities > thresholds
        tops = []
        for row, top in enumerate(blended.items):
            places = np.flatnonzero(matching[row])
            if len(places):
                places = places[np.isin(cold[places], excluded[row], invert=True)]
            matches = cold[places[np.argsort(-similarities[row, places], kind="stable")[:limit]]].tolist()
            filled = insert_cold_items(top, matches, self._cold, every=every, limit=limit)
            if len(filled) < limit:  # everything better known is on the list: cold items fill the rest
                rest = top_items(blended.scores[row], np.concatenate([excluded[row], filled]), limit - len(filled))
                filled = np.concatenate([filled, rest])
            tops.append(filled)
        return tops

    def _explained(
        self, histories: Sequence[RankedHistory], block: ScoreBlock, blended: Blended, items: Sequence[IntArray]
    ) -> tuple[list[IntArray], list[tuple[str, ...]]]:
        """Return for each user the evidence and the families of these items."""
        scorers, weights = self.artefact.scorers, blended.weights
        sources = evidence(self._fitted, scorers, weights, histories, block, items)
        return sources, families(scorers, weights, block, items)

    def _similarities(self, name: str, items: IntArray) -> FloatArray:
        """Return (items, all items): the items' rows of this matrix, each scaled to a maximum of 1."""
        part = self._fitted[name]
        assert not isinstance(part, ItemVector)
        rows = part.dense_rows(items)
        return np.asarray(rows / np.maximum(1e-12, rows.max(axis=1, initial=0.0))[:, None])

    def _cold_except(self, excluded: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return (items,) marks at the cold items that are not excluded."""
        marks = self._cold.copy()
        marks[excluded] = False
        return marks


def _non_increasing(scores: NDArray[np.float64]) -> FloatArray:
    """Return scores of which none exceeds the one before it: an inserted item may have a higher one of its own."""
    return np.minimum.accumulate(scores).astype(np.float32)
