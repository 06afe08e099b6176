"""Extends an artefact by items that were added, or whose texts changed, after its training.

Only their texts are known: they are cold items until the next training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Matrix
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.models.content import MAX_NEIGHBOURS, MIN_SIMILARITY, TEXT
from recommendations.algorithms.models.protocol import FactorMatrix, Fitted, ItemMatrix, ItemVector, MatrixUpdate
from recommendations.algorithms.models.tfidf_index import TextIndex

# The similar texts that are looked at: the first MAX_NEIGHBOURS are an item's neighbours, and it may be a neighbour of
# each of them.
MAX_SIMILAR_TEXTS = 200


@dataclass(frozen=True, eq=False)
class SimilarTexts:
    """The items with texts similar to one incremental item's, most similar first.

    Attributes:
        places: (n,) indices of the other items.
        scores: (n,) on the scale of the artefact's text matrix.
        forward: (n,) whether the other is among this one's neighbours.
        backward: (n,) whether this one is among the other's.
    """

    places: IntArray
    scores: FloatArray
    forward: NDArray[np.bool_]
    backward: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class IncrementalItems:
    """Items that were added or changed since an artefact's training.

    Attributes:
        item_ids: of the added items; the first has the index after the artefact's last.
        places: (rows,) indices of the added and changed items.
        near: by row, the similar texts.
        ages: (rows,) increasing with the time at which `near` was computed. Of two rows that name each other the later
            one holds.
    """

    item_ids: tuple[str, ...]
    places: IntArray
    near: Sequence[SimilarTexts]
    ages: NDArray[np.int64]


def extend_artefact(artefact: Artefact, fresh: IncrementalItems) -> Artefact:
    """Return the artefact over its own and the incremental items. Its matrices are shared, not copied."""
    count = artefact.item_count + len(fresh.item_ids)
    fitted = {name: _extend(part, count) for name, part in artefact.fitted.items()}
    popularity, text = fitted["popularity"], fitted.get(TEXT)
    added = _edges(fresh, count)
    known = np.zeros(count, dtype=bool)
    known[artefact.cold] = True
    if isinstance(text, ItemMatrix):
        replaced = np.zeros(count, dtype=bool)
        replaced[fresh.places[fresh.places < artefact.item_count]] = True
        fitted[TEXT] = ItemMatrix(text.values, MatrixUpdate(replaced, added))
        known[added.indices] = True
    assert isinstance(popularity, ItemVector)
    cold = np.flatnonzero(known & (popularity.values == 0)).astype(np.int32)
    return replace(
        artefact,
        item_ids=(*artefact.item_ids, *fresh.item_ids),
        fitted=fitted,
        cold=cold,
        similarity_thresholds=_extend_thresholds(artefact, fresh, count),
    )


def _extend_thresholds(artefact: Artefact, fresh: IncrementalItems, count: int) -> FloatArray:
    """Return the thresholds with an estimate for the incremental items: the weighted mean of similar trained items."""
    if not len(artefact.similarity_thresholds):
        return artefact.similarity_thresholds
    thresholds = np.append(artefact.similarity_thresholds, np.zeros(count - artefact.item_count, dtype=np.float32))
    for place, near in zip(fresh.places.tolist(), fresh.near, strict=True):
        trained = near.places < artefact.item_count
        if near.scores[trained].sum() > 0:
            thresholds[place] = np.average(
                artefact.similarity_thresholds[near.places[trained]], weights=near.scores[trained]
            )
    return thresholds


def find_similar_texts(
    texts: TextIndex, similarities: Matrix, *, vectors: Matrix, places: IntArray, others: Matrix, other_places: IntArray
) -> list[SimilarTexts]:
    """Return the texts similar to each of these.

    `similarities` is the artefact's text matrix. `others` are vectors in addition to the artefact's or in place of
    them, at `other_places`; they include `vectors`.
    """
    stale = other_places[other_places < texts.vectors.shape[0]]
    first = (texts.vectors @ vectors.T).tocoo()
    valid = ~np.isin(first.row, stale)
    second = (others @ vectors.T).tocoo()
    rows = np.concatenate([first.row[valid], other_places[second.row]])
    columns = np.concatenate([first.col[valid], second.col])
    cosines = np.concatenate([first.data[valid], second.data]).astype(np.float32)
    kept = (cosines >= MIN_SIMILARITY) & (rows != places[columns])
    rows, columns, cosines = rows[kept], columns[kept], cosines[kept]
    order = np.lexsort((rows, -cosines, columns))
    rows, columns, cosines = rows[order], columns[order], cosines[order]
    starts = np.searchsorted(columns, np.arange(len(places) + 1))
    similar = []
    for index in range(len(places)):
        part = slice(starts[index], min(starts[index + 1], starts[index] + MAX_SIMILAR_TEXTS))
        scores = cosines[part] * np.float32(texts.scale)
        own = rows[part].astype(np.int32)
        is_neighbour = np.array(
            [
                _would_be_neighbour(similarities, place, score)
                for place, score in zip(own.tolist(), scores.tolist(), strict=True)
            ],
            dtype=bool,
        )
        is_neighbour |= np.isin(own, other_places)
        similar.append(SimilarTexts(own, scores, np.arange(len(own)) < MAX_NEIGHBOURS, is_neighbour))
    return similar


def _would_be_neighbour(similarities: Matrix, place: int, score: float) -> bool:
    """Return whether an item would have one of this score among its neighbours."""
    if place >= similarities.shape[0]:
        return True
    start, end = similarities.indptr[place], similarities.indptr[place + 1]
    return bool(end - start < MAX_NEIGHBOURS or score > similarities.data[start:end].min())


def _edges(fresh: IncrementalItems, count: int) -> Matrix:
    age = np.zeros(count, dtype=np.int64)
    age[fresh.places] = fresh.ages
    rows, columns, values = [], [], []
    for place, own, near in zip(fresh.places.tolist(), fresh.ages.tolist(), fresh.near, strict=True):
        holds = (near.places < count) & (age[np.minimum(near.places, count - 1)] < own)
        forward, backward = holds & near.forward, holds & near.backward
        rows += [np.full(int(forward.sum()), place), near.places[backward]]
        columns += [near.places[forward], np.full(int(backward.sum()), place)]
        values += [near.scores[forward], near.scores[backward]]
    if not rows:
        return sparse.csr_array((count, count), dtype=np.float32)
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    edges = sparse.csr_array(entries, shape=(count, count), dtype=np.float32)
    edges.sort_indices()
    return edges


def _extend(part: Fitted, count: int) -> Fitted:
    """Return the part over more items, which have no entries."""
    if isinstance(part, ItemVector):
        return ItemVector(np.append(part.values, np.zeros(count - len(part.values), dtype=part.values.dtype)))
    if isinstance(part, FactorMatrix):
        return part.extend(count)
    values = part.values
    ends = np.append(values.indptr, np.full(count - values.shape[0], values.indptr[-1], dtype=values.indptr.dtype))
    return ItemMatrix(sparse.csr_array((values.data, values.indices, ends), shape=(count, count), copy=False))
