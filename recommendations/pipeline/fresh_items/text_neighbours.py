"""Neighbours of new and changed items by their texts, among the artefact's items and the fresh ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from scipy import sparse

from recommendations.algorithms.inference.incremental import find_similar_texts
from recommendations.algorithms.models.content import TEXT
from recommendations.algorithms.models.protocol import ItemMatrix
from recommendations.pipeline.artefacts import live
from recommendations.pipeline.artefacts.live import FreshRow
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.fresh_items.changed_items import ChangedItem

# Items beside one artefact; more than that wait for the next training, as those of a first import do.
MAX_FRESH = 20_000
# Lists that an item leaves when its text changes: the nearest ones are replaced.
MAX_FORMER = 50


@dataclass(frozen=True, slots=True)
class TextNeighbours:
    """An item's neighbours now. `text_changed`: its text is not the one that lists were made with."""

    index: int
    terms: bytes
    near: bytes
    text_changed: bool


def find_neighbours(
    loaded: Loaded, fresh: Mapping[int, FreshRow], items: Sequence[ChangedItem]
) -> dict[str, TextNeighbours]:
    """The neighbours of those available items that the artefact alone does not know.

    Items that have a row are included even if their text is the same: the row becomes the newest, and what it says of
    other items must be up to date, too.
    """
    artefact = loaded.recommender.artefact
    texts, text_matrix = artefact.texts, artefact.fitted.get(TEXT)
    if texts is None or not isinstance(text_matrix, ItemMatrix):
        return {}
    vectors = texts.vectors_of([item.document for item in items])
    free_index = count(max([artefact.item_count, *(index + 1 for index in fresh)]))
    chosen: list[tuple[int, str, int, bytes, bool]] = []
    for row, item in enumerate(items):
        terms = live.pack_terms(vectors, row)
        index = loaded.index_of(item.item_id) if item.index is None else item.index
        text_changed = terms != _former_terms(texts.vectors, item, index)
        if not item.available or (item.index is None and not text_changed):
            continue
        if index is None and (not terms or len(fresh) + len(chosen) >= MAX_FRESH):
            continue
        chosen.append((row, item.item_id, next(free_index) if index is None else index, terms, text_changed))
    if not chosen:
        return {}
    indices = np.array([index for _, _, index, *_ in chosen], dtype=np.int32)
    unchanged = [row for index, row in fresh.items() if index not in set(indices.tolist())]
    own = vectors[[row for row, *_ in chosen]]
    near = find_similar_texts(
        texts,
        text_matrix.values,
        vectors=own,
        places=indices,
        others=sparse.vstack([own, live.unpack_terms([row.terms for row in unchanged], own.shape[1])], format="csr"),
        other_places=np.concatenate([indices, np.array([row.index for row in unchanged], dtype=np.int32)]),
    )
    return {
        item_id: TextNeighbours(index, terms, live.pack_neighbours(each), text_changed)
        for (_, item_id, index, terms, text_changed), each in zip(chosen, near, strict=True)
    }


def former_neighbours(loaded: Loaded, item: ChangedItem, now: TextNeighbours | None) -> bytes:
    """The indices of the items that its former text was similar to; empty if the text has not changed."""
    if now is None or not now.text_changed:
        return b""
    if item.near:
        near = live.unpack_neighbours(item.near)
        return near.places[near.backward][:MAX_FORMER].astype("<i4").tobytes()
    text_matrix = loaded.recommender.artefact.fitted[TEXT]
    if now.index >= len(loaded.item_ids) or not isinstance(text_matrix, ItemMatrix):
        return b""
    start, end = text_matrix.values.indptr[now.index], text_matrix.values.indptr[now.index + 1]
    return np.asarray(text_matrix.values.indices[start:end][:MAX_FORMER]).astype("<i4").tobytes()


def _former_terms(vectors: Any, item: ChangedItem, index: int | None) -> bytes:
    """The terms that lists have been made with."""
    if item.index is not None:
        return item.terms
    return b"" if index is None else live.pack_terms(vectors, index)
