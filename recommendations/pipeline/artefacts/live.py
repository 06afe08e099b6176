"""The artefact of a build together with what came or changed after its training, alike in every process of every host.

The rows are the record (`FreshItem`); each process keeps what it has read, and asks for newer rows each time.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache
from django.conf import settings
from numpy.typing import NDArray
from scipy import sparse

from accounts.tenancy import scope
from core import process_caches
from recommendations.algorithms.inference.incremental import IncrementalItems, SimilarTexts, extend_artefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.models import FreshItem

_NEAR = np.dtype([("place", "<i4"), ("score", "<f4"), ("ways", "u1")])
_TERM = np.dtype([("column", "<i4"), ("weight", "<f2")])
_FORWARD, _BACKWARD = 1, 2


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one item."""

    item_id: str
    place: int
    revision: int
    terms: bytes
    near: bytes


@dataclass(slots=True)
class Known:
    """All rows of one build with a place, as far as this process has read them."""

    rows: dict[int, Row] = field(default_factory=dict)
    revision: int = 0
    loaded: Loaded | None = None


_held: LRUCache[int, Known] = LRUCache(settings.ARTEFACTS_IN_MEMORY)
# Around what reads newer rows into it: in a web process previews and what ranks may ask at once.
_lock = threading.Lock()


def with_fresh(loaded: Loaded, *, tenant_id: int, build_id: int) -> Loaded:
    """The build's artefact with its fresh items; the artefact itself where there are none. One statement."""
    with _lock:
        known = _known(tenant_id, build_id)
        if not known.rows:
            return loaded
        if known.loaded is None:
            known.loaded = _extended(loaded, known)
        return known.loaded


def rows_of(*, tenant_id: int, build_id: int) -> Mapping[int, Row]:
    """The build's rows by place, in the order of their revisions."""
    with _lock:
        return _known(tenant_id, build_id).rows


@process_caches.register
def forget(build_id: int | None = None) -> None:
    """Forgets what the process has read, of one build or of all."""
    if build_id is None:
        _held.clear()
    else:
        _held.pop(build_id, None)


def packed_near(near: SimilarTexts) -> bytes:
    """What is like an item, as it is stored."""
    rows = np.empty(len(near.places), dtype=_NEAR)
    rows["place"], rows["score"] = near.places, near.scores
    rows["ways"] = near.forward * _FORWARD + near.backward * _BACKWARD
    return rows.tobytes()


def unpacked_near(raw: bytes) -> SimilarTexts:
    """What `packed_near` wrote."""
    rows = np.frombuffer(raw, dtype=_NEAR)
    ways = rows["ways"]
    places, scores = rows["place"].astype(np.int32), rows["score"].astype(np.float32)
    return SimilarTexts(places, scores, (ways & _FORWARD) > 0, (ways & _BACKWARD) > 0)


def packed_terms(vectors: Any, row: int) -> bytes:
    """A text's vector, a row of a sparse matrix, as it is stored."""
    part = slice(vectors.indptr[row], vectors.indptr[row + 1])
    terms = np.empty(part.stop - part.start, dtype=_TERM)
    terms["column"], terms["weight"] = vectors.indices[part], vectors.data[part]
    return terms.tobytes()


def unpacked_terms(raws: list[bytes], columns: int) -> Any:
    """The vectors that `packed_terms` wrote, one row each."""
    parts: list[NDArray[Any]] = [np.frombuffer(raw, dtype=_TERM) for raw in raws]
    rows = np.concatenate([*parts, np.empty(0, dtype=_TERM)])
    ends = np.cumsum([0, *(len(part) for part in parts)])
    values = (rows["weight"].astype(np.float32), rows["column"].astype(np.int32), ends)
    return sparse.csr_array(values, shape=(len(raws), columns))


def _known(tenant_id: int, build_id: int) -> Known:
    known = _held.setdefault(build_id, Known())
    with scope.tenant(tenant_id):
        newer = FreshItem.objects.filter(
            tenant_id=tenant_id, build_id=build_id, revision__gt=known.revision, place__isnull=False
        ).order_by("revision")
        found = list(newer.values_list("item_id", "place", "revision", "terms", "near"))
    for item_id, place, revision, terms, near in found:
        assert place is not None
        known.rows.pop(place, None)
        known.rows[place] = Row(item_id, place, revision, bytes(terms), bytes(near))
        known.revision, known.loaded = revision, None
    return known


def _extended(loaded: Loaded, known: Known) -> Loaded:
    trained = len(loaded.item_ids)
    rows = list(known.rows.values())
    new = {row.place: row.item_id for row in rows if row.place >= trained}
    fresh = IncrementalItems(
        item_ids=tuple(new[place] for place in sorted(new)),
        places=np.array([row.place for row in rows], dtype=np.int32),
        near=[unpacked_near(row.near) for row in rows],
        ages=np.array([row.revision for row in rows], dtype=np.int64),
    )
    places = {item_id: place for place, item_id in new.items()}
    recommender = Recommender(extend_artefact(loaded.recommender.artefact, fresh))
    return Loaded(loaded.artefact_id, recommender, places, known.revision)
