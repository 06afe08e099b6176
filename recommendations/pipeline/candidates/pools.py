"""Pools of candidates that are the same for every user of a placement: popular, trending, newest, by segment.

Each process caches them for some minutes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cachetools import LRUCache
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from accounts.tenancy import scope
from core import process_caches
from recommendations.cache.list_codec import Entry
from recommendations.catalog import availability
from recommendations.catalog.models import Item
from recommendations.list_kinds import KINDS, LATEST, POPULAR, TRENDING
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import popular, segment_popular
from recommendations.pipeline.lists.entries import cached_reason

DEPTH = 300
POOLS_TTL_SECONDS = 600
# The newest items are read more often, and as soon as new ones have been ingested.
LATEST_TTL_SECONDS = 30
_MAX_CACHED = 4


@dataclass(frozen=True, slots=True)
class Pools:
    """Entries by kind of list (`recommendations.list_kinds`) and by segment, best first, without withdrawn items."""

    by_kind: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    segments: Mapping[str, Sequence[Entry]] = field(default_factory=dict)

    def of_kind(self, key: str) -> Sequence[Entry]:
        """The entries of one kind of list; empty if there is no pool of it."""
        return self.by_kind.get(key, ())

    def of_segments(self, subjects: Sequence[str]) -> Sequence[Entry]:
        """The entries of the first of these segments that has any."""
        return next((self.segments[subject] for subject in subjects if subject in self.segments), ())

    def restricted_to(self, item_ids: Collection[str]) -> "Pools":
        """The pools with these items only."""

        def restricted(pools: Mapping[str, Sequence[Entry]]) -> dict[str, Sequence[Entry]]:
            return {key: [entry for entry in pool if entry.item_id in item_ids] for key, pool in pools.items()}

        return Pools(restricted(self.by_kind), restricted(self.segments))


Key = tuple[int, int, int, frozenset[str]]
_cache: LRUCache[Key, tuple[tuple[int, int], Pools]] = LRUCache(_MAX_CACHED)
process_caches.register(_cache.clear)


def load_pools(*, tenant_id: int, loaded: Loaded, by: frozenset[str], locale: str, now: datetime) -> Pools:
    """The tenant's pools, at most POOLS_TTL_SECONDS old, and its newest items, at most LATEST_TTL_SECONDS.

    `by` holds the rules (`segment_by`) that define segments.
    """
    key = (tenant_id, loaded.artefact_id, int(now.timestamp()) // POOLS_TTL_SECONDS, by)
    as_of = (loaded.revision, int(now.timestamp()) // LATEST_TTL_SECONDS)
    cached = _cache.get(key)
    if cached is None:
        cached = as_of, _compute(tenant_id, loaded, by, locale, now)
    elif cached[0] != as_of:
        latest = {LATEST.key: _latest_entries(tenant_id, now, locale)}
        cached = as_of, replace(cached[1], by_kind={**cached[1].by_kind, **latest})
    _cache[key] = cached
    return cached[1]


def latest_items(*, tenant_id: int, now: datetime) -> QuerySet[Item]:
    """The available items, newest first."""
    return Item.objects.filter(availability.available(now), tenant_id=tenant_id).order_by("-created_at", "item_id")


def _compute(tenant_id: int, loaded: Loaded, by: frozenset[str], locale: str, now: datetime) -> Pools:
    most_chosen = popular.popular_items(tenant_id=tenant_id, loaded=loaded, now=now, locale=locale, limit=DEPTH).entries
    with scope.tenant(tenant_id):
        withdrawn = set(availability.withdrawn_ids(tenant_id=tenant_id, now=now))
    segments: dict[str, Sequence[Entry]] = {}
    for each in by:
        segments |= segment_popular.popular_by_segment(
            tenant_id=tenant_id, by=each, withdrawn=withdrawn, locale=locale, now=now
        )
    by_kind: dict[str, Sequence[Entry]] = {
        POPULAR.key: most_chosen,
        TRENDING.key: [entry for entry in most_chosen if entry.part == "recent_popularity"],
        LATEST.key: _latest_entries(tenant_id, now, locale),
    }
    for kind in KINDS.values():
        if kind.pool:
            entries = import_string(kind.pool)(tenant_id=tenant_id, now=now, locale=locale, limit=DEPTH)
            by_kind[kind.key] = [entry for entry in entries if entry.item_id not in withdrawn]
    return Pools(by_kind, segments)


def _latest_entries(tenant_id: int, now: datetime, locale: str) -> list[Entry]:
    reason = cached_reason(LATEST.key, (), locale)
    with scope.tenant(tenant_id):
        item_ids = list(latest_items(tenant_id=tenant_id, now=now).values_list("item_id", flat=True)[:DEPTH])
    return [Entry(item_id, 0.0, reason, (), LATEST.key) for item_id in item_ids]
