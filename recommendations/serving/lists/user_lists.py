"""Users' lists at a placement: from Redis, else from PostgreSQL, else by the placement's fallback.

For any number of users it is one round trip to Redis, together with admission, and for lists that Redis does not hold a
bounded number of statements and of further round trips.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from accounts.tenancy import flags
from core import deadline
from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import StoredList
from recommendations.degradation import DATABASE, FLAG, NO_BUILD
from recommendations.list_kinds import FOR_YOU, POPULAR
from recommendations.placements import placement_cache
from recommendations.placements.fallback_policy import FallbackPolicy
from recommendations.serving.lists import shared_lists
from recommendations.serving.lists.cached_lists import CachedLists
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.lists.limiter import Limiter
from recommendations.serving.lists.placeholders import encode_placeholders
from recommendations.serving.page import render
from recommendations.serving.page.render import Answer
from recommendations.serving.read import selectors
from recommendations.serving.read.list_query import Options, Subject
from recommendations.serving.read.resolved import DATABASE_AWAY, ResolvedList
from recommendations.serving.read.selectors import NoPersonalList

PLACEHOLDER_TTL_SECONDS = 30


def read_user_lists(
    *, tenant_id: int, placement: str, user_ids: Sequence[str], options: Options, limiter: Limiter, now: datetime
) -> list[Answer]:
    """Return a page for each user, in order. Warm, it is one round trip to Redis and no SQL.

    A tenant over its quota whose plan gives a static list gets the popular one for all.
    Raises: what `limiter` raises; UnknownPlacement; FilterTooCostly, RateLimited where the options have a filter.
    """
    personal = [user_id for user_id in dict.fromkeys(user_ids) if _is_on(tenant_id, user_id)]
    wanted = [keys.user_list(tenant_id, placement, user_id) for user_id in personal]
    if options.narrows or len(personal) < len(set(user_ids)):
        wanted.append(keys.reference_list(tenant_id, POPULAR.key))
    subjects = [Subject(tenant_id, user_id, placement) for user_id in user_ids]
    pages = partial(render.render_pages, tenant_id=tenant_id, subjects=subjects, options=options, now=now)

    # Admission, with the cache in the same round trip.
    decision = limiter.admit(list_cache.read_commands(tenant_id, wanted))
    placement_cache.require_placement(tenant_id=tenant_id, name=placement)
    if decision.static:
        return pages(lists=[shared_lists.over_quota(tenant_id, now, placement)] * len(user_ids))
    cached = CachedLists.from_decision(tenant_id, decision, wanted, now)
    popular = cached.lists[len(personal)] if len(wanted) > len(personal) else None
    stored_lists = _of_owners(personal, cached)

    # The database, for users whose list is not in the cache.
    resolver = FallbackResolver(cached, placement, popular=popular)
    try:
        stored_lists |= _load([name for name in personal if name not in stored_lists], placement, cached, resolver)
        withdrawn = cached.withdrawn_among(stored_lists.values())
    except DATABASE_AWAY:
        withdrawn = cached.withdrawn or {}

    # The fallback, for users without a list: all lists that may replace theirs are read at once.
    empty = [stored for stored in stored_lists.values() if not stored.total]
    with suppress(*DATABASE_AWAY):  # `resolve` then answers without the database
        resolver.load([FallbackPolicy.from_stored(stored.reading) for stored in empty])
    lists = [
        _resolve(stored_lists.get(name), withdrawn, resolver, missing=DATABASE if name in personal else FLAG)
        for name in user_ids
    ]

    # The page.
    if options.narrows:
        spare = popular or resolver.popular()
        lists = [replace(resolved, spare=spare) for resolved in lists]
    return pages(lists=lists)


def _is_on(tenant_id: int, user_id: str) -> bool:
    return flags.is_on(flags.RECOMMENDATIONS, tenant_id=tenant_id, user_id=user_id)


def _of_owners(user_ids: Sequence[str], cached: CachedLists) -> dict[str, StoredList]:
    """Return the cached list of each user, where it is one of theirs."""
    pairs = zip(user_ids, cached.lists, strict=False)  # the popular list may follow
    return {user_id: stored for user_id, stored in pairs if stored is not None and stored.owner == user_id}


def _load(
    user_ids: Sequence[str], placement: str, cached: CachedLists, resolver: FallbackResolver
) -> dict[str, StoredList]:
    """Read the rows of these users and put them into Redis; a placeholder for each user without one."""
    if not user_ids:
        return {}
    rows = selectors.user_lists(tenant_id=cached.tenant_id, placement=placement, user_ids=user_ids)
    bodies: dict[str, bytes] = {}
    lists: dict[str, StoredList] = {}
    missing: dict[str, NoPersonalList] = {}
    for user_id, row in rows.items():
        deadline.check()
        if isinstance(row, NoPersonalList):
            missing[user_id] = row
        elif (stored := list_codec.decode_or_none(row)) is None:
            missing[user_id] = NoPersonalList(NO_BUILD, 0)
        else:
            bodies[user_id], lists[user_id] = row, stored
    placeholders = encode_placeholders(missing, cached=cached, resolver=resolver)
    for group, ttl in ((bodies, FOR_YOU.ttl_seconds), (placeholders, PLACEHOLDER_TTL_SECONDS)):
        named = [(keys.user_list(cached.tenant_id, placement, user_id), body) for user_id, body in group.items()]
        cached.refill(named, ttl)
    return lists | {user_id: list_codec.decode(body) for user_id, body in placeholders.items()}


def _resolve(
    stored: StoredList | None, withdrawn: Mapping[str, float], resolver: FallbackResolver, *, missing: str
) -> ResolvedList:
    """Return the user's list, else what its policy replaces it by; `missing` says why there is none at all."""
    if stored is None:
        return resolver.resolve(degraded=missing)
    degraded = stored.provenance.degraded
    if stored.total:
        return ResolvedList(stored, degraded, withdrawn, language=stored.language)
    policy = FallbackPolicy.from_stored(stored.reading)
    return replace(resolver.resolve(policy, degraded), language=stored.language)
