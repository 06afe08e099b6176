"""An artefact together with items that came, or whose texts changed, after its training.

Only what their texts say is known of them: they take part as items without interactions, until the next training.
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

# Of what is like a text, so much is looked at: the first MAX_NEIGHBOURS are its neighbours, and it may be among the
# neighbours of each.
MOST_ALIKE = 200


@dataclass(frozen=True, eq=False)
class SimilarTexts:
    """What is like one fresh item, most alike first.

    Attributes:
        places: (n,) of the other items.
        scores: (n,) on the scale of the artefact's matrix of texts.
        forward: (n,) whether the other is among this one's neighbours.
        backward: (n,) whether this one is among the other's.
    """

    places: IntArray
    scores: FloatArray
    forward: NDArray[np.bool_]
    backward: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class IncrementalItems:
    """Items beside an artefact's.

    Attributes:
        item_ids: of those that came since; the first has the place behind the artefact's last.
        places: (rows,) of the items that something is known of, new and changed ones.
        near: by row, what is like the item.
        ages: (rows,) rising with the time at which `near` was found. Of two rows that name each other the later one
            holds.
    """

    item_ids: tuple[str, ...]
    places: IntArray
    near: Sequence[SimilarTexts]
    ages: NDArray[np.int64]


def extend_artefact(artefact: Artefact, fresh: IncrementalItems) -> Artefact:
    """Return the artefact over all these items. Its matrices are shared, not copied."""
    count = artefact.item_count + len(fresh.item_ids)
    fitted = {name: _wider(part, count) for name, part in artefact.fitted.items()}
    popularity, text = fitted["popularity"], fitted.get(TEXT)
    added = _links(fresh, count)
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
        similarity_thresholds=_fit_from(artefact, fresh, count),
    )


def _fit_from(artefact: Artefact, fresh: IncrementalItems, count: int) -> FloatArray:
    """The same with an estimate for the fresh items: what holds for those of the training that are like them."""
    if not len(artefact.similarity_thresholds):
        return artefact.similarity_thresholds
    found = np.append(artefact.similarity_thresholds, np.zeros(count - artefact.item_count, dtype=np.float32))
    for place, near in zip(fresh.places.tolist(), fresh.near, strict=True):
        trained = near.places < artefact.item_count
        if near.scores[trained].sum() > 0:
            found[place] = np.average(
                artefact.similarity_thresholds[near.places[trained]], weights=near.scores[trained]
            )
    return found


def find_similar_texts(
    texts: TextIndex, alike: Matrix, *, vectors: Matrix, places: IntArray, others: Matrix, other_places: IntArray
) -> list[SimilarTexts]:
    """Return what is like each of these texts.

    `alike` is the artefact's matrix of texts. `others` are vectors that hold besides the artefact's or instead of
    them, at these places; those of `vectors` themselves are among them.
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
    found = []
    for index in range(len(places)):
        part = slice(starts[index], min(starts[index + 1], starts[index] + MOST_ALIKE))
        scores = cosines[part] * np.float32(texts.scale)
        own = rows[part].astype(np.int32)
        welcome = np.array(
            [_welcomes(alike, place, score) for place, score in zip(own.tolist(), scores.tolist(), strict=True)],
            dtype=bool,
        )
        welcome |= np.isin(own, other_places)
        found.append(SimilarTexts(own, scores, np.arange(len(own)) < MAX_NEIGHBOURS, welcome))
    return found


def _welcomes(alike: Matrix, place: int, score: float) -> bool:
    """Whether an item's neighbours would have one of this score among them."""
    if place >= alike.shape[0]:
        return True
    start, end = alike.indptr[place], alike.indptr[place + 1]
    return bool(end - start < MAX_NEIGHBOURS or score > alike.data[start:end].min())


def _links(fresh: IncrementalItems, count: int) -> Matrix:
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
    links = sparse.csr_array(entries, shape=(count, count), dtype=np.float32)
    links.sort_indices()
    return links


def _wider(part: Fitted, count: int) -> Fitted:
    """The same over more items, which it knows nothing of."""
    if isinstance(part, ItemVector):
        return ItemVector(np.append(part.values, np.zeros(count - len(part.values), dtype=part.values.dtype)))
    if isinstance(part, FactorMatrix):
        return part.extend(count)
    values = part.values
    ends = np.append(values.indptr, np.full(count - values.shape[0], values.indptr[-1], dtype=values.indptr.dtype))
    return ItemMatrix(sparse.csr_array((values.data, values.indices, ends), shape=(count, count), copy=False))
