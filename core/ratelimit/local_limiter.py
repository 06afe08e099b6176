"""Rate limiting without Redis: each process decides alone, within its fair share of the limit.

A process allows `share * count / RATE_LIMIT_PROCESSES`, evenly spread, with a burst of a fifth of one window. All
processes together therefore accept at most 1.2 times the limit in the first window of an outage, whatever was used
before it (rounded up to a whole request for each process; a batch larger than the burst is accepted once and paid
off). Reads keep their whole limit; all other classes, which cost money or grant access, keep half of it.

Revocations are unknown here: the caller asks Postgres. The process knows which quotas were exhausted, and records the
units that it accepts, to be added when Redis is back. A process that ends before that loses them.
"""

import threading
from collections.abc import Sequence
from datetime import datetime
from math import ceil

from cachetools import LRUCache
from django.conf import settings

from core import process_caches
from core.ratelimit import billing_periods
from core.ratelimit.decision import Decision, Outcome
from core.ratelimit.gcra import next_arrival
from core.ratelimit.policies import Nested, Quota

# The tenant, or an address; and the policy, with whose it is.
Key = tuple[int | str, str]
READS = "read"
TIGHT_SHARE = 0.5
AT_ONCE = 0.2
_CLOCK_RESOLUTION_SECONDS = 1e-6


class Buckets:
    """The generic cell rate algorithm in memory, for at most `capacity` keys; the least recently used is forgotten."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._arrivals: LRUCache[Key, float] = LRUCache(capacity)
        self._lock = threading.Lock()

    def acquire(self, key: Key, *, cost: int, interval: float, burst: float, now: float) -> float:
        """Charges `cost` units of `interval` seconds each; returns 0, or the seconds to wait.

        What costs more than the burst waits for all of it and is charged in full.
        """
        return self.acquire_all([(key, interval, burst)], cost=cost, now=now)

    def acquire_all(self, wanted: Sequence[tuple[Key, float, float]], *, cost: int, now: float) -> float:
        """The same of several keys, each with its interval and burst: all are charged, or none."""
        with self._lock:
            waits, arrivals = [0.0], {}
            for key, interval, burst in wanted:
                arrivals[key], wait = next_arrival(
                    self._arrivals.get(key, now), now=now, cost_seconds=cost * interval, burst_seconds=burst * interval
                )
                waits.append(wait)
            if max(waits) > _CLOCK_RESOLUTION_SECONDS:
                return max(waits)
            for key, arrival in arrivals.items():
                self._arrivals[key] = arrival
            return 0.0

    def __len__(self) -> int:
        return len(self._arrivals)

    def clear(self) -> None:
        """Clears everything."""
        with self._lock:
            self._arrivals.clear()


class Ledger:
    """The process's notes on quotas, for at most `capacity` tenants: what is known as used up, and what is owed."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._used_up: LRUCache[int, tuple[str, int]] = LRUCache(capacity)
        self._owed: LRUCache[int, dict[str, int]] = LRUCache(capacity)
        self._lock = threading.Lock()

    def used_up(self, tenant_id: int, month: str, used: int) -> None:
        """Records that Redis refused at this count."""
        with self._lock:
            self._used_up[tenant_id] = (month, used)

    def charge(self, tenant_id: int, month: str, *, cost: int, limit: int | None) -> bool:
        """Notes a cost as owed; False, and nothing noted, where what is known leaves no room for it."""
        with self._lock:
            known_month, known = self._used_up.get(tenant_id, (month, 0))
            owed = self._owed.get(tenant_id, {}).get(month, 0)
            if limit is not None and (known if known_month == month else 0) + owed + cost > limit:
                return False
            self._owed[tenant_id] = {**self._owed.get(tenant_id, {}), month: owed + cost}
            return True

    @property
    def owes(self) -> bool:
        """True if anything is owed."""
        return bool(self._owed)

    def pop_owed(self, tenant_id: int) -> dict[str, int]:
        """Removes and returns the tenant's owed units by month."""
        with self._lock:
            return self._owed.pop(tenant_id, {})

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._used_up.clear()
            self._owed.clear()


buckets = Buckets()
ledger = Ledger()
process_caches.register(buckets.clear)
process_caches.register(ledger.clear)


def decide(*, tenant_id: int, rates: Sequence[Nested], quota: Quota | None, cost: int, now: datetime) -> Decision:
    """Decides within the process. An accepted request is UNKNOWN_REVOCATION, without RateLimit headers."""
    if wait := _acquire(tenant_id, rates, cost, now):
        return _refused(Outcome.RATE_LIMITED, max(1, ceil(wait)))
    month = billing_periods.month_at(now)
    if quota is not None and not ledger.charge(tenant_id, month.name, cost=cost, limit=quota.limit):
        if quota.on_quota == "static":
            return Decision(outcome=Outcome.QUOTA_EXCEEDED, headers={}, static=True, exact=False)
        return _refused(Outcome.QUOTA_EXCEEDED, max(1, ceil(month.end - now.timestamp())))
    return Decision(outcome=Outcome.UNKNOWN_REVOCATION, headers={}, exact=False)


def _acquire(tenant_id: int, rates: Sequence[Nested], cost: int, now: datetime) -> float:
    wanted: list[tuple[Key, float, float]] = []
    for each in rates:
        rate = each.rate
        share = (1.0 if rate.name.rpartition("-")[2] == READS else TIGHT_SHARE) / _processes()
        interval = rate.window_seconds / (rate.count * share)
        wanted.append(((tenant_id, rate.name + each.subject), interval, AT_ONCE * share * min(rate.burst, rate.count)))
    return buckets.acquire_all(wanted, cost=cost, now=now.timestamp())


def _refused(outcome: Outcome, seconds: int) -> Decision:
    return Decision(outcome=outcome, headers={"Retry-After": str(seconds)}, retry_after_seconds=seconds, exact=False)


def _processes() -> int:
    return max(1, settings.RATE_LIMIT_PROCESSES)
