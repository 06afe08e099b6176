"""Lists that belong to no user: popular, trending and newest items, and the neighbours of an item.

Each is read like users' lists: from Redis in the round trip of admission, else from PostgreSQL, else by a fallback. A
tenant over its quota whose plan gives a static list gets the popular one.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import StoredList
from recommendations.degradation import DATABASE, QUOTA
from recommendations.list_kinds import LATEST, POPULAR, ListKind
from recommendations.placements.fallback_policy import FallbackPolicy
from recommendations.placements.models import HOME
from recommendations.serving.lists.cached_lists import CachedLists
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.lists.limiter import Limiter
from recommendations.serving.read import reason_language, selectors
from recommendations.serving.read.resolved import DATABASE_AWAY, ResolvedList


def read_shared(*, tenant_id: int, kind: ListKind, subject: str, now: datetime, limiter: Limiter) -> ResolvedList:
    """Return the list of a kind that belongs to everyone, such as that of a window; else the kind's fallback.

    Raises: what `limiter` raises.
    """
    popular_key = keys.reference_list(tenant_id, POPULAR.key)
    wanted = list(dict.fromkeys([keys.reference_list(tenant_id, kind.key, subject), popular_key]))
    decision = limiter.admit(list_cache.read_commands(tenant_id, wanted))
    if decision.static:
        return over_quota(tenant_id, now)
    cached = CachedLists.from_decision(tenant_id, decision, wanted, now)
    resolver = FallbackResolver(cached, popular=cached.lists[-1])
    if wanted == [popular_key]:
        return resolver.resolve(FallbackPolicy((POPULAR.key, *POPULAR.fallback)))
    policy = FallbackPolicy(kind.fallback)
    try:
        stored = cached.lists[0] or _from_postgres(cached, kind, subject)
    except DATABASE_AWAY:
        return resolver.resolve(policy, DATABASE)
    if stored is None:
        return resolver.resolve(policy)
    return replace(cached.resolve(stored), spare=cached.lists[-1])


def read_neighbours(
    *, tenant_id: int, kind: ListKind, item_id: str, now: datetime, limiter: Limiter
) -> ResolvedList | None:
    """Return the list of a kind that belongs to an item; None if it has none, or none of its items is available.

    Raises: what `limiter` raises.
    """
    wanted = [keys.reference_list(tenant_id, kind.key, item_id)]
    decision = limiter.admit(list_cache.read_commands(tenant_id, wanted))
    if decision.static:
        return over_quota(tenant_id, now)
    cached = CachedLists.from_decision(tenant_id, decision, wanted, now)
    try:
        stored = cached.lists[0] or _from_postgres(cached, kind, item_id)
    except DATABASE_AWAY:
        return FallbackResolver(cached).resolve(FallbackPolicy(kind.fallback), DATABASE)
    if stored is None:
        return None
    resolved = cached.resolve(stored)
    # Items of another list would not be similar.
    return replace(resolved, refills=False) if resolved.has_available_items(now.timestamp()) else None


def read_latest(*, tenant_id: int, now: datetime, limiter: Limiter) -> ResolvedList:
    """Return the newest items of the catalogue, at most `LATEST.ttl_seconds` old; with or without a build.

    Raises: what `limiter` raises.
    """
    key = keys.reference_list(tenant_id, LATEST.key)
    decision = limiter.admit(list_cache.read_commands(tenant_id, [key]))
    if decision.static:
        return over_quota(tenant_id, now)
    cached = CachedLists.from_decision(tenant_id, decision, [key], now)
    stored = cached.lists[0]
    if stored is None:
        locale = reason_language.of_tenant(tenant_id)
        try:
            stored, body = selectors.static_list(tenant_id=tenant_id, now=now, locale=locale)
        except DATABASE_AWAY:
            return FallbackResolver(cached).resolve(degraded=DATABASE)
        if stored.total:
            cached.refill([(key, body)], LATEST.ttl_seconds)
    return cached.resolve(stored)


def read_popular(*, tenant_id: int, now: datetime) -> ResolvedList:
    """Return the popular list, or its fallback, for a request that has been admitted already."""
    return _popular(tenant_id, now, HOME, None)


def over_quota(tenant_id: int, now: datetime, placement: str = HOME) -> ResolvedList:
    """Return the popular list, or its fallback, for a tenant that is over its quota."""
    return _popular(tenant_id, now, placement, QUOTA)


def _popular(tenant_id: int, now: datetime, placement: str, degraded: str | None) -> ResolvedList:
    cached = CachedLists.fetch(tenant_id, [keys.reference_list(tenant_id, POPULAR.key)], now)
    return FallbackResolver(cached, placement, popular=cached.lists[0]).resolve(degraded=degraded)


def complete_neighbours(
    *, tenant_id: int, item_ids: Sequence[str], kinds: Sequence[str], lists: Sequence[StoredList | None]
) -> list[StoredList | None]:
    """Add the lists that are missing, from PostgreSQL: `lists` has one of each kind for each item. One statement."""
    rows = selectors.reference_lists(tenant_id=tenant_id, kinds=kinds, subjects=item_ids)
    wanted = [(kind, item_id) for item_id in item_ids for kind in kinds]
    return [stored or list_codec.decode_or_none(rows.get(name)) for name, stored in zip(wanted, lists, strict=True)]


def _from_postgres(cached: CachedLists, kind: ListKind, subject: str) -> StoredList | None:
    """Return the list of the active build, and put it back into Redis."""
    body = selectors.reference_list(tenant_id=cached.tenant_id, kind=kind.key, subject=subject)
    stored = list_codec.decode_or_none(body)
    if body is not None and stored is not None:
        cached.refill([(keys.reference_list(cached.tenant_id, kind.key, subject), body)], kind.ttl_seconds)
    return stored
