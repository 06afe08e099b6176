"""Blends the scores of an artefact's scorers for one user, and reorders the best candidates by the second stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import IntArray
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.inference.artefact import Artefact, UnreadableArtefact
from recommendations.algorithms.inference.cold_items import ColdItemSlots
from recommendations.algorithms.inference.lightgbm_ranker import CANDIDATES, Ranker
from recommendations.algorithms.inference.scoring import Scores
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.algorithms.models.registry import ALGORITHMS

NO_ITEMS = np.empty(0, dtype=np.int32)
# The most popular item's addition to its score: below any real difference, so it only fills lists and breaks ties.
FILL = 1e-6


@dataclass(frozen=True, eq=False)
class Blended:
    """One user's blended scores.

    Attributes:
        artefact: with the weights that were used.
        scores: (items,).
        items: the best, without the excluded ones and without cold items that may not compete.
    """

    artefact: Artefact
    scores: NDArray[np.float64]
    items: IntArray


class Blender:
    """Adds up the standardised scores of an artefact's scorers. Holds no state between calls."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        self.slots = ColdItemSlots.from_chosen(artefact.chosen)
        self.ranker = _read_ranker(artefact)
        self.popularity = _popularity(artefact)
        counts = self.popularity.astype(np.float64)
        self.fill = FILL * counts / max(1.0, counts.max(initial=0.0))
        self.content = tuple(
            place for place, scorer in enumerate(artefact.scorers) if scorer.algorithm not in ALGORITHMS
        )
        self._collaborative = tuple(
            place
            for place, scorer in enumerate(artefact.scorers)
            if place not in self.content and not isinstance(artefact.fitted[scorer.algorithm], ItemVector)
        )

    def blend(self, history_size: int, scores: Sequence[Scores], excluded: IntArray, limit: int) -> Blended:
        """Return every item's score and the `limit` best items.

        Both have the order of the second stage, if there is one: the best candidates trade their scores.
        """
        total = self.fill.copy()
        artefact = self._reweighted(scores)
        for own, weight in zip(scores, artefact.weights, strict=True):
            own.add_to(total, weight)
        if not self.slots.compete and artefact is self.artefact:
            excluded = np.concatenate([excluded, self.artefact.cold])
        items = top_items(total, excluded, limit if self.ranker is None else max(limit, CANDIDATES))
        if self.ranker is not None and history_size and artefact is self.artefact:
            items = self._rerank(self.ranker, items, scores, total, history_size)
        return Blended(artefact, total, items[:limit])

    def _reweighted(self, scores: Sequence[Scores]) -> Artefact:
        """Return the artefact, with the collaborative weight moved to content where only content knows the history.

        For a history of nothing but new items popularity would be all that is left otherwise.
        """
        informative = [scores[place].deviation > 0 for place in self.content]
        if not any(informative) or any(scores[place].deviation > 0 for place in self._collaborative):
            return self.artefact
        weights = self.artefact.weights.copy()
        content = np.array(self.content)[informative]
        weights[content] += weights[list(self._collaborative)].sum() / len(content)
        return replace(self.artefact, weights=weights)

    def _rerank(
        self, ranker: Ranker, items: IntArray, scores: Sequence[Scores], total: NDArray[np.float64], history_size: int
    ) -> IntArray:
        """Return the items with the best candidates in the second stage's order; in `total` they trade their scores."""
        best = items[:CANDIDATES]
        if not len(best):
            return items
        scratch = np.zeros(self.artefact.item_count)
        standardised = np.stack([own.standardised(scratch, best) for own in scores], axis=1)
        counts = self.popularity[best].astype(np.float64)
        blended = standardised @ self.artefact.weights
        order = lightgbm_ranker.order(ranker.scores(standardised, blended, counts, history_size))
        total[best[order]] = total[best]
        return np.concatenate([best[order], items[CANDIDATES:]])


def top_items(scores: NDArray[np.float64], excluded: NDArray[np.integer], limit: int) -> IntArray:
    """Return up to `limit` items by descending score, equal scores by index, without the excluded ones."""
    allowed = scores.copy()
    allowed[excluded] = -np.inf
    room = min(limit, len(allowed))
    if room <= 0:
        return NO_ITEMS
    # The cut-off first, then everything at or above it: the index decides which of several equal items come last.
    cut = np.partition(allowed, len(allowed) - room)[len(allowed) - room]
    picked = np.flatnonzero((allowed >= cut) & (allowed > -np.inf))
    return picked[np.argsort(-allowed[picked], kind="stable")][:room].astype(np.int32)


def _popularity(artefact: Artefact) -> NDArray[np.float32]:
    part = artefact.fitted["popularity"]
    assert isinstance(part, ItemVector)
    return part.values


def _read_ranker(artefact: Artefact) -> Ranker | None:
    """Return the artefact's second stage; None where this host cannot read one, so that the blend's order serves.

    Raises:
        UnreadableArtefact: its text is not a second stage.
    """
    if not artefact.ranker or not lightgbm_ranker.is_usable():
        return None
    try:
        return Ranker(artefact.ranker)
    except lightgbm_ranker.UnreadableRanker as error:
        raise UnreadableArtefact(str(error)) from error
