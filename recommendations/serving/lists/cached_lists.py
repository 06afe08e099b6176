"""The lists that Redis holds, together with the tenant's withdrawn items, and what completes both from PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from core.ratelimit import Decision
from core.redis import RedisUnavailable
from recommendations.cache import list_cache, withdrawn_items
from recommendations.cache.list_codec import StoredList
from recommendations.serving.read import selectors
from recommendations.serving.read.resolved import DATABASE_AWAY, ResolvedList

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CachedLists:
    """The state of one request after its cache read.

    Attributes:
        tenant_id: The tenant.
        now: The moment of the request.
        lists: The lists, in the order of the keys that were read; None for a miss.
        redis_up: Redis has answered.
        withdrawn: Withdrawals by item id; None if Redis is away.
    """

    tenant_id: int
    now: datetime
    lists: Sequence[StoredList | None] = ()
    redis_up: bool = False
    withdrawn: Mapping[str, float] | None = None

    @classmethod
    def from_decision(cls, tenant_id: int, decision: Decision, keys: Sequence[str], now: datetime) -> "CachedLists":
        """Read the lists that came with admission; all are missing if it had to do without Redis."""
        if decision.values is None:
            return cls(tenant_id, now, [None] * len(keys))
        return cls._completed(tenant_id, now, list_cache.parse_replies(decision.values, keys))

    @classmethod
    def fetch(cls, tenant_id: int, keys: Sequence[str], now: datetime) -> "CachedLists":
        """Read the lists in a round trip of their own, for a request whose admission has read nothing."""
        try:
            return cls._completed(tenant_id, now, list_cache.get_many(tenant_id, keys))
        except RedisUnavailable:
            return cls(tenant_id, now, [None] * len(keys))

    @classmethod
    def _completed(cls, tenant_id: int, now: datetime, cached: list_cache.Cached) -> "CachedLists":
        """Add the withdrawn items from PostgreSQL if Redis does not know them."""
        if cached.withdrawn is not None:
            return cls(tenant_id, now, cached.lists, redis_up=True, withdrawn=cached.withdrawn)
        try:
            withdrawn = selectors.withdrawn(tenant_id=tenant_id, now=now)
            withdrawn_items.load(tenant_id, withdrawn)
        except DATABASE_AWAY:
            _log.warning("withdrawn_items_unknown", tenant_id=tenant_id)
            return cls(tenant_id, now, cached.lists, redis_up=True, withdrawn={})
        except RedisUnavailable:
            return cls(tenant_id, now, cached.lists, redis_up=False, withdrawn=withdrawn)
        return cls(tenant_id, now, cached.lists, redis_up=True, withdrawn=withdrawn)

    def withdrawn_among(self, lists: Iterable[StoredList]) -> Mapping[str, float]:
        """Return the withdrawals; without Redis those of these lists, from PostgreSQL, or none if that is away too."""
        if self.withdrawn is not None:
            return self.withdrawn
        listed = {entry["item_id"] for stored in lists for entry in stored.entries()}
        try:
            return selectors.withdrawn(tenant_id=self.tenant_id, now=self.now, among=listed)
        except DATABASE_AWAY:
            return {}

    def resolve(self, stored: StoredList) -> ResolvedList:
        """Return a list that answers as it was stored."""
        return ResolvedList(stored, stored.provenance.degraded, self.withdrawn_among([stored]))

    def refill(self, bodies: Sequence[tuple[str, bytes]], ttl_seconds: int) -> None:
        """Put lists back into Redis by key, if it can be reached."""
        if not self.redis_up or not bodies:
            return
        try:
            list_cache.set_many(bodies, ttl_seconds=ttl_seconds)
        except RedisUnavailable:
            _log.info("refill_skipped", reason="redis")
