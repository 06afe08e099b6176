"""Replaces missing lists by their fallback policies. No list is blank while there is an item to show.

Lists of the build are read for all users of a request at once: one round trip to Redis, and one statement for those
that it does not hold. Pinned and newest items come from the catalogue. Without any server the popular list that the
process read last answers.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from cachetools import LRUCache

from core import process_caches
from core.redis import RedisUnavailable
from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import StoredList
from recommendations.degradation import DATABASE, NO_BUILD
from recommendations.list_kinds import LATEST, PINNED, POPULAR
from recommendations.placements.fallback_policy import FallbackPolicy, Reference
from recommendations.placements.models import HOME
from recommendations.serving.lists.cached_lists import CachedLists
from recommendations.serving.read import reason_language, selectors
from recommendations.serving.read.resolved import DATABASE_AWAY, ResolvedList

DEFAULT_POLICY = FallbackPolicy()
POPULAR_LIST: Reference = (POPULAR.key, POPULAR.subject)
_last_popular: LRUCache[int, StoredList] = LRUCache(maxsize=2_000)
_last_popular_lock = threading.Lock()
process_caches.register(_last_popular.clear)


class FallbackResolver:
    """Replaces missing lists at a placement, for all users of one request. Each list is read once."""

    def __init__(self, cached: CachedLists, placement: str = HOME, *, popular: StoredList | None = None) -> None:
        self._cached = cached
        self._placement = placement
        # None for a list that is known to be missing.
        self._lists: dict[Reference, StoredList | None] = {} if popular is None else {POPULAR_LIST: popular}
        self._static: dict[tuple[str, bool], StoredList] = {}
        self._withdrawn: Mapping[str, float] | None = None
        self._resolved: dict[tuple[FallbackPolicy, str | None], ResolvedList] = {}

    def load(self, policies: Iterable[FallbackPolicy]) -> None:
        """Read the lists of the build that these policies name, with one round trip and one statement at most.

        Raises: one of DATABASE_AWAY if none of them is known.
        """
        orders = [policy.references() for policy in policies]
        new = [name for name in dict.fromkeys(name for order in orders for name in order) if name not in self._lists]
        if not new:
            return
        self._withdrawn = None
        self._lists |= dict.fromkeys(new) | self._from_redis(new)
        # The first list that Redis holds decides; PostgreSQL is asked only for those before it.
        needed = {name for order in orders for name in takewhile(lambda name: self._lists[name] is None, order)}
        try:
            self._lists |= self._from_postgres([name for name in new if name in needed])
        except DATABASE_AWAY:
            if not any(self._lists.values()):
                raise

    def stored_lists(self, policy: FallbackPolicy, key: str = "") -> list[StoredList]:
        """Return the loaded lists of the build that the policy names, best first; with `key`, of this kind only."""
        named = policy.references_of(key) if key else policy.references()
        return [stored for name in named if (stored := self._lists.get(name)) is not None]

    def popular(self) -> StoredList | None:
        """Return the popular list; None if there is none, or the database is away."""
        try:
            self.load([FallbackPolicy((POPULAR.key,))])
        except DATABASE_AWAY:
            return None
        return self._lists.get(POPULAR_LIST)

    def resolve(self, policy: FallbackPolicy = DEFAULT_POLICY, degraded: str | None = None) -> ResolvedList:
        """Return the first list of the policy that has items; without any server the last known popular list."""
        if (resolved := self._resolved.get((policy, degraded))) is None:
            resolved = self._resolved[policy, degraded] = self._resolve(policy, degraded)
        return resolved

    def _resolve(self, policy: FallbackPolicy, degraded: str | None) -> ResolvedList:
        withdrawn = self._cached.withdrawn or {}
        try:
            self.load([policy])
            stored = self._first(policy, degraded or NO_BUILD)
        except DATABASE_AWAY:
            stored, degraded = last_known_popular(self._cached.tenant_id) or self._blank(), DATABASE
        else:
            if stored.provenance.source == "static":
                degraded = stored.provenance.degraded
            else:
                withdrawn = self._withdrawn_items()
        return ResolvedList(stored, degraded, {**withdrawn, **dict.fromkeys(policy.hide, 0.0)})

    def _withdrawn_items(self) -> Mapping[str, float]:
        """Return the withdrawals in all loaded lists, so that one statement serves all users of a request."""
        if self._withdrawn is None:
            self._withdrawn = self._cached.withdrawn_among(filter(None, self._lists.values()))
        return self._withdrawn

    def _first(self, policy: FallbackPolicy, reason: str) -> StoredList:
        """Return the first list that has items; pinned, then newest items if the policy names none."""
        for position, key in enumerate(policy.order):
            if key == PINNED.key:
                stored = self.static_list(reason, pinned=True)
                # The newest items fill this list. Without a pinned item the other kinds of the order come first.
                is_last = set(policy.order[position + 1 :]) <= {LATEST.key}
                if stored.total and (is_last or stored.parts[0] == PINNED.key):
                    return stored
            elif key == LATEST.key:
                if (stored := self.static_list(reason, pinned=False)).total:
                    return stored
            elif found := [stored for stored in self.stored_lists(policy, key) if stored.total]:
                if key == POPULAR.key:
                    with _last_popular_lock:
                        _last_popular[self._cached.tenant_id] = found[0]
                return found[0]
        return self.static_list(reason, pinned=True)

    def static_list(self, reason: str, *, pinned: bool) -> StoredList:
        """Return pinned and newest items. Redis keeps them for seconds: a tenant without a build costs little SQL."""
        if (reason, pinned) not in self._static:
            self._static[reason, pinned] = self._read_static(reason, pinned=pinned)
        return self._static[reason, pinned]

    def _read_static(self, reason: str, *, pinned: bool) -> StoredList:
        tenant_id = self._cached.tenant_id
        subject = f"{self._placement}:{reason}" + ("" if pinned else ":latest")
        name = ("static", subject)
        if (stored := self._from_redis([name]).get(name)) is not None:
            return stored
        stored, body = selectors.static_list(
            tenant_id=tenant_id,
            now=self._cached.now,
            locale=reason_language.of_tenant(tenant_id),
            pinned_at=self._placement if pinned else "",
            degraded=reason,
        )
        if stored.total:
            self._cached.refill([(keys.reference_list(tenant_id, *name), body)], PINNED.ttl_seconds)
        return stored

    def _from_redis(self, names: Sequence[Reference]) -> dict[Reference, StoredList]:
        tenant_id = self._cached.tenant_id
        if not self._cached.redis_up:
            return {}
        try:
            cached = list_cache.get_many(tenant_id, [keys.reference_list(tenant_id, *name) for name in names])
        except RedisUnavailable:
            return {}
        return {name: stored for name, stored in zip(names, cached.lists, strict=True) if stored is not None}

    def _from_postgres(self, names: Sequence[Reference]) -> dict[Reference, StoredList]:
        if not names:
            return {}
        tenant_id = self._cached.tenant_id
        kinds, subjects = {kind for kind, _ in names}, {subject for _, subject in names}
        rows = selectors.reference_lists(tenant_id=tenant_id, kinds=kinds, subjects=subjects)
        decoded = {name: list_codec.decode_or_none(rows.get(name)) for name in names}
        lists = {name: stored for name, stored in decoded.items() if stored is not None}
        bodies = [(keys.reference_list(tenant_id, *name), rows[name]) for name in lists]
        self._cached.refill(bodies, POPULAR.ttl_seconds)
        return lists

    def _blank(self) -> StoredList:
        generated_at = self._cached.now.strftime("%Y-%m-%dT%H:%M:00Z")
        provenance = list_codec.Provenance(0, 0, "static", generated_at)
        return list_codec.decode(list_codec.encode(provenance=provenance, owner="", entries=[]))


def last_known_popular(tenant_id: int) -> StoredList | None:
    """Return the popular list that the process read last."""
    with _last_popular_lock:
        return _last_popular.get(tenant_id)
