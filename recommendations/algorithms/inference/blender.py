"""Blends the scores of an artefact's scorers for one user, and reorders the best candidates by the second stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import IntArray
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.inference.artefact import Artefact, UnreadableArtefact
from recommendations.algorithms.inference.cold_items import ColdItemSlots
from recommendations.algorithms.inference.lightgbm_ranker import CANDIDATES, Ranker, RankerInput
from recommendations.algorithms.inference.scoring import ScoreBlock
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.algorithms.models.registry import ALGORITHMS

NO_ITEMS = np.empty(0, dtype=np.int32)
# The most popular item's addition to its score: below any real difference, so it only fills lists and breaks ties.
FILL = 1e-6


@dataclass(frozen=True, eq=False)
class Blended:
    """The blended scores of a block of users.

    Attributes:
        weights: (users, scorers) that were used.
        scores: (users, items).
        items: of each user the best, without the excluded ones and without cold items that may not compete.
    """

    weights: NDArray[np.float64]
    scores: NDArray[np.float64]
    items: list[IntArray]


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

    def blend(
        self, history_sizes: Sequence[int], block: ScoreBlock, excluded: Sequence[IntArray], limit: int
    ) -> Blended:
        """Return every item's score and the `limit` best items of each user of the block.

        Both have the order of the second stage, if there is one: the best candidates trade their scores.
        """
        weights, usual = self._weights(block)
        total = np.tile(self.fill, (len(weights), 1))
        for place, table in enumerate(block.tables):
            deviation = block.deviations[place]
            scale = np.divide(weights[:, place], deviation, out=np.zeros_like(deviation), where=deviation > 0)
            total += table * scale[:, None]
        allowed = total.copy()
        if not self.slots.compete:
            allowed[np.ix_(usual, self.artefact.cold)] = -np.inf
        for row, left_out in enumerate(excluded):
            allowed[row, left_out] = -np.inf
        items = best_of_each(allowed, limit if self.ranker is None else max(limit, CANDIDATES))
        if self.ranker is not None:
            rows = [row for row, size in enumerate(history_sizes) if size and usual[row] and len(items[row])]
            self._rerank(self.ranker, rows, items, block, total, history_sizes)
        return Blended(weights, total, [own[:limit] for own in items])

    def _weights(self, block: ScoreBlock) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return (users, scorers) weights and marks at the users who have the artefact's.

        For the others the collaborative weight moved to content, as only content knows the history: popularity would be
        all that is left otherwise for a history of nothing but new items.
        """
        informative = block.deviations[list(self.content)] > 0
        known = (block.deviations[list(self._collaborative)] > 0).any(axis=0)
        usual: NDArray[np.bool_] = np.asarray(known | ~informative.any(axis=0))
        weights = np.tile(self.artefact.weights, (len(usual), 1))
        for row in np.flatnonzero(~usual):
            content = np.array(self.content)[informative[:, row]]
            weights[row, content] += self.artefact.weights[list(self._collaborative)].sum() / len(content)
        return weights, usual

    def _rerank(
        self,
        ranker: Ranker,
        rows: Sequence[int],
        items: list[IntArray],
        block: ScoreBlock,
        total: NDArray[np.float64],
        history_sizes: Sequence[int],
    ) -> None:
        """Put the best candidates of these rows into the second stage's order; in `total` they trade their scores."""
        if not rows:
            return
        best = [items[row][:CANDIDATES] for row in rows]
        wanted = np.zeros((len(items), max(len(own) for own in best)), dtype=np.int32)
        for row, own in zip(rows, best, strict=True):
            wanted[row, : len(own)] = own
        standardised = block.standardised(wanted)
        blended = np.zeros(wanted.shape)
        for place, weight in enumerate(self.artefact.weights):
            blended += standardised[place] * weight
        users = [
            RankerInput(
                standardised[:, row, : len(own)].T,
                blended[row, : len(own)],
                self.popularity[own].astype(np.float64),
                history_sizes[row],
            )
            for row, own in zip(rows, best, strict=True)
        ]
        for row, own, scores in zip(rows, best, ranker.scores_of_each(users), strict=True):
            ordered = own[lightgbm_ranker.order(scores)]
            total[row, ordered] = total[row, own]
            items[row] = np.concatenate([ordered, items[row][CANDIDATES:]])


def best_of_each(allowed: NDArray[np.float64], limit: int) -> list[IntArray]:
    """Return for each row up to `limit` items by descending score, equal scores by index, without those of -inf."""
    room = min(limit, allowed.shape[1])
    if room <= 0:
        return [NO_ITEMS] * len(allowed)
    # The cut-off first, then everything at or above it: the index decides which of several equal items come last.
    place = allowed.shape[1] - room
    cuts = np.partition(allowed, place, axis=1)[:, place]
    found = []
    for row, cut in zip(allowed, cuts, strict=True):
        picked = np.flatnonzero(row >= cut) if cut > -np.inf else np.flatnonzero(row > -np.inf)
        found.append(picked[np.argsort(-row[picked], kind="stable")][:room].astype(np.int32))
    return found


def top_items(scores: NDArray[np.float64], excluded: NDArray[np.integer], limit: int) -> IntArray:
    """Return up to `limit` items by descending score, equal scores by index, without the excluded ones."""
    allowed = scores[None, :].copy()
    allowed[0, excluded] = -np.inf
    return best_of_each(allowed, limit)[0]


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
