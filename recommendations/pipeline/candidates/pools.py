"""What may fill anybody's list: popular, trending and newest items, and what is popular in a segment.

The same for everybody at a placement, so each process computes it once for some minutes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cachetools import LRUCache
from django.db import connection
from django.utils.module_loading import import_string

from accounts.tenancy import scope
from core import process_caches
from recommendations.cache.list_codec import Entry
from recommendations.catalog import availability
from recommendations.explanations.templates import explain
from recommendations.list_kinds import KINDS, LATEST, POPULAR, TRENDING
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import popular, segment_popular

DEPTH = 300
FRESH_FOR_SECONDS = 600
# The newest items are asked for more often, and as soon as new ones have been taken in.
LATEST_FOR_SECONDS = 30
_KEPT = 4
_LATEST = f"""
    SELECT item_id FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND {availability.available_sql()}
    ORDER BY created_at DESC, item_id LIMIT %(limit)s
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class Pools:
    """Entries by kind of list (`recommendations.list_kinds`) and by segment, best first, without withheld items."""

    by_kind: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    segments: Mapping[str, Sequence[Entry]] = field(default_factory=dict)

    def of_kind(self, key: str) -> Sequence[Entry]:
        """Return the entries of one kind of list; empty if there is no pool of it."""
        return self.by_kind.get(key, ())

    def of_segments(self, subjects: Sequence[str]) -> Sequence[Entry]:
        """What is popular in the first of these segments that anybody with a history is in."""
        return next((self.segments[subject] for subject in subjects if subject in self.segments), ())

    def only(self, item_ids: Collection[str]) -> "Pools":
        """What of them is among these items."""

        def kept(entries: Sequence[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.item_id in item_ids]

        segments = {name: kept(entries) for name, entries in self.segments.items()}
        return Pools({key: kept(entries) for key, entries in self.by_kind.items()}, segments)


Key = tuple[int, int, int, frozenset[str]]
_cache: LRUCache[Key, tuple[tuple[int, int], Pools]] = LRUCache(_KEPT)
process_caches.register(_cache.clear)


def of(*, tenant_id: int, loaded: Loaded, by: frozenset[str], locale: str, now: datetime) -> Pools:
    """The tenant's pools, at most FRESH_FOR_SECONDS old, and the newest items LATEST_FOR_SECONDS.

    `by` are the rules (`segment_by`) that make segments.
    """
    key = (tenant_id, loaded.artefact_id, int(now.timestamp()) // FRESH_FOR_SECONDS, by)
    as_of = (loaded.revision, int(now.timestamp()) // LATEST_FOR_SECONDS)
    cached = _cache.get(key)
    if cached is None:
        cached = as_of, compute(tenant_id=tenant_id, loaded=loaded, by=by, locale=locale, now=now)
    elif cached[0] != as_of:
        with scope.tenant(tenant_id):
            cached = (
                as_of,
                replace(cached[1], by_kind={**cached[1].by_kind, LATEST.key: _latest(tenant_id, now, locale)}),
            )
    _cache[key] = cached
    return cached[1]


def compute(*, tenant_id: int, loaded: Loaded, by: frozenset[str], locale: str, now: datetime) -> Pools:
    """The pools as they are now."""
    everybody = popular.compute(tenant_id=tenant_id, loaded=loaded, now=now, locale=locale, limit=DEPTH)
    with scope.tenant(tenant_id):
        withheld = set(availability.withdrawn_ids(tenant_id=tenant_id, now=now))
        newest = _latest(tenant_id, now, locale)
    by_segment: dict[str, Sequence[Entry]] = {}
    for each in by:
        by_segment |= segment_popular.counted(tenant_id=tenant_id, by=each, withheld=withheld, locale=locale, now=now)
    by_kind: dict[str, Sequence[Entry]] = {
        POPULAR.key: everybody.entries,
        TRENDING.key: [entry for entry in everybody.entries if entry.part == "recent_popularity"],
        LATEST.key: newest,
    }
    for kind in KINDS.values():
        if kind.pool:
            entries = import_string(kind.pool)(tenant_id=tenant_id, now=now, locale=locale, limit=DEPTH)
            by_kind[kind.key] = [entry for entry in entries if entry.item_id not in withheld]
    return Pools(by_kind, by_segment)


def _latest(tenant_id: int, now: datetime, locale: str) -> list[Entry]:
    said = explain(part=LATEST.key, locale=locale)
    return [Entry(item_id, 0.0, said, (), LATEST.key) for item_id in latest(tenant_id=tenant_id, now=now, limit=DEPTH)]


def latest(*, tenant_id: int, now: datetime, limit: int) -> list[str]:
    """The newest items that may be shown. Call it in the tenant's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, {"tenant": tenant_id, "now": now, "limit": limit})
        return [item_id for (item_id,) in cursor.fetchall()]
