"""The artefact of a build with the items that are newer than its training, the same in every process of every host.

The rows are the record (`recommendations.pipeline.models.FreshItem`); each process caches the rows that it has read
and asks for newer ones each time.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray
from scipy import sparse

from accounts.tenancy import scope
from core import process_caches
from recommendations.algorithms.inference.incremental import IncrementalItems, SimilarTexts, extend_artefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.pipeline.artefacts.store import Loaded

_NEAR = np.dtype([("place", "<i4"), ("score", "<f4"), ("ways", "u1")])
_TERM = np.dtype([("column", "<i4"), ("weight", "<f2")])
_FORWARD, _BACKWARD = 1, 2
# Asked before each ranking and near-line update, which almost always have nothing to read.
_NEWER = """
    SELECT item_id, place, revision, terms, near FROM recommendations_freshitem
    WHERE tenant_id = %(tenant)s AND build_id = %(build)s AND revision > %(revision)s AND place IS NOT NULL
    ORDER BY revision
"""


@dataclass(frozen=True, slots=True)
class FreshRow:
    """A stored fresh item that has an index."""

    item_id: str
    index: int
    revision: int
    terms: bytes
    near: bytes


@dataclass(slots=True)
class FreshRows:
    """The rows of one build that this process has read, by index, in the order of their revisions."""

    rows: dict[int, FreshRow] = field(default_factory=dict)
    revision: int = 0
    loaded: Loaded | None = None


_rows_by_build: LRUCache[int, FreshRows] = LRUCache(settings.ARTEFACTS_IN_MEMORY)
# Guards reading newer rows into it: in a web process previews and rankings may ask at once.
_lock = threading.Lock()


def with_fresh_items(loaded: Loaded, *, tenant_id: int, build_id: int, revision: int | None = None) -> Loaded:
    """The build's artefact with its fresh items; the artefact itself if there are none. One SQL statement.

    None, if the caller knows the build's newest `revision` and this process has read it.
    """
    with _lock:
        fresh = _rows_by_build.get(build_id)
        if fresh is None or revision is None or revision > fresh.revision:
            fresh = _read_newer(tenant_id, build_id)
        if not fresh.rows:
            return loaded
        if fresh.loaded is None:
            fresh.loaded = _extended(loaded, fresh)
        return fresh.loaded


def fresh_rows(*, tenant_id: int, build_id: int) -> Mapping[int, FreshRow]:
    """The build's rows by index, in the order of their revisions."""
    with _lock:
        return _read_newer(tenant_id, build_id).rows


@process_caches.register
def clear(build_id: int | None = None) -> None:
    """Clears the process's cache, of one build or of all."""
    if build_id is None:
        _rows_by_build.clear()
    else:
        _rows_by_build.pop(build_id, None)


def pack_neighbours(near: SimilarTexts) -> bytes:
    """The stored form of an item's neighbours."""
    rows = np.empty(len(near.places), dtype=_NEAR)
    rows["place"], rows["score"] = near.places, near.scores
    rows["ways"] = near.forward * _FORWARD + near.backward * _BACKWARD
    return rows.tobytes()


def unpack_neighbours(raw: bytes) -> SimilarTexts:
    """Reads the result of `pack_neighbours`."""
    rows = np.frombuffer(raw, dtype=_NEAR)
    ways = rows["ways"]
    places, scores = rows["place"].astype(np.int32), rows["score"].astype(np.float32)
    return SimilarTexts(places, scores, (ways & _FORWARD) > 0, (ways & _BACKWARD) > 0)


def pack_terms(vectors: Any, row: int) -> bytes:
    """The stored form of a text's vector, a row of a sparse matrix."""
    part = slice(vectors.indptr[row], vectors.indptr[row + 1])
    terms = np.empty(part.stop - part.start, dtype=_TERM)
    terms["column"], terms["weight"] = vectors.indices[part], vectors.data[part]
    return terms.tobytes()


def unpack_terms(raws: list[bytes], columns: int) -> Any:
    """Reads results of `pack_terms`, one row each."""
    parts: list[NDArray[Any]] = [np.frombuffer(raw, dtype=_TERM) for raw in raws]
    rows = np.concatenate([*parts, np.empty(0, dtype=_TERM)])
    ends = np.cumsum([0, *(len(part) for part in parts)])
    values = (rows["weight"].astype(np.float32), rows["column"].astype(np.int32), ends)
    return sparse.csr_array(values, shape=(len(raws), columns))


def _read_newer(tenant_id: int, build_id: int) -> FreshRows:
    fresh = _rows_by_build.setdefault(build_id, FreshRows())
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_NEWER, {"tenant": tenant_id, "build": build_id, "revision": fresh.revision})
        rows = cursor.fetchall()
    for item_id, index, revision, terms, near in rows:
        fresh.rows.pop(index, None)
        fresh.rows[index] = FreshRow(item_id, index, revision, bytes(terms), bytes(near))
        fresh.revision, fresh.loaded = revision, None
    return fresh


def _extended(loaded: Loaded, fresh: FreshRows) -> Loaded:
    trained = len(loaded.item_ids)
    rows = list(fresh.rows.values())
    new = {row.index: row.item_id for row in rows if row.index >= trained}
    additions = IncrementalItems(
        item_ids=tuple(new[index] for index in sorted(new)),
        places=np.array([row.index for row in rows], dtype=np.int32),
        near=[unpack_neighbours(row.near) for row in rows],
        ages=np.array([row.revision for row in rows], dtype=np.int64),
    )
    indices = {item_id: index for index, item_id in new.items()}
    recommender = Recommender(extend_artefact(loaded.recommender.artefact, additions))
    return Loaded(loaded.artefact_id, recommender, indices, fresh.revision)
