"""The monthly counters' way to Postgres and back: `drain`, write, `settle`; after a loss of Redis, `restore`.

The limiter counts in Redis and notes the month as dirty. A job drains the counters, writes them to Postgres (as the
greatest of both: a counter only grows) and settles them after its commit; killed in between, the next run writes the
same again. A loss of Redis forgets at most what was accepted since the last drain.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from core import redis
from core.ratelimit import billing_periods, keys

_ADD = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
if used == tonumber(ARGV[1]) then redis.call('EXPIREAT', KEYS[1], ARGV[3]) end
redis.call('SADD', KEYS[2], ARGV[2])
return used
"""
_RESTORE = """
local used = tonumber(redis.call('GET', KEYS[1])) or 0
if used >= tonumber(ARGV[1]) then return used end
redis.call('SET', KEYS[1], ARGV[1], 'EXAT', ARGV[2])
return tonumber(ARGV[1])
"""
# Clean only if nothing was counted since it was read.
_MARK_WRITTEN = """
local used = tonumber(redis.call('GET', KEYS[1])) or 0
if used > tonumber(ARGV[1]) then return 0 end
return redis.call('SREM', KEYS[2], ARGV[2])
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """The units that a tenant has used in a month (`2026-11`)."""

    tenant_id: int
    month: str
    used: int


def drain(*, tenant_ids: Iterable[int], batch: int = 500) -> Iterator[Usage]:
    """The counters that have moved since they were settled. Reads only: `settle` them once they are written.

    Raises: RedisUnavailable.
    """
    waiting = iter(tenant_ids)
    while some := list(islice(waiting, batch)):
        yield from _drain(some)


def _drain(tenant_ids: Sequence[int]) -> list[Usage]:
    def dirty(pipe: Any) -> None:
        for tenant_id in tenant_ids:
            pipe.smembers(keys.quota_dirty(tenant_id))

    found = zip(tenant_ids, _pipelined("quota_drain", dirty), strict=True)
    pairs = [(tenant_id, month.decode()) for tenant_id, moved in found for month in sorted(moved)]

    def counters(pipe: Any) -> None:
        for tenant_id, month in pairs:
            pipe.get(keys.quota(tenant_id, month))

    counts = _pipelined("quota_drain", counters) if pairs else []
    return [Usage(*pair, used=int(count or 0)) for pair, count in zip(pairs, counts, strict=True)]


def mark_written(usages: Sequence[Usage]) -> int:
    """Marks drained counters as written, unless they have moved meanwhile; returns how many are clean now.

    Raises: RedisUnavailable.
    """

    def queue(pipe: Any) -> None:
        for each in usages:
            own = (keys.quota(each.tenant_id, each.month), keys.quota_dirty(each.tenant_id))
            # Not pipe.eval: a pipeline for clusters refuses it (redis-py 8.1), though it can route the command.
            pipe.execute_command("EVAL", _MARK_WRITTEN, 2, *own, each.used, each.month)

    return sum(_pipelined("quota_settle", queue)) if usages else 0


def restore(*, tenant_id: int, month: str, used: int) -> int:
    """Raises the counter to what Postgres knows, never lowers it; returns what it is now.

    Raises: RedisUnavailable; ValueError for a month that is not `YYYY-MM`.
    """
    expires = billing_periods.parse(month).expires
    key = keys.quota(tenant_id, month)
    return int(redis.call("quota_restore", lambda client: client.eval(_RESTORE, 1, key, used, expires)))


def add(*, tenant_id: int, month: str, units: int) -> int:
    """Counts units that were accepted elsewhere, as without Redis; returns what is used now.

    Raises: RedisUnavailable; ValueError for a month that is not `YYYY-MM`.
    """
    expires = billing_periods.parse(month).expires
    own = (keys.quota(tenant_id, month), keys.quota_dirty(tenant_id))
    return int(redis.call("quota_add", lambda client: client.eval(_ADD, 2, *own, units, month, expires)))


def _pipelined(purpose: str, queue: Callable[[Any], None]) -> list[Any]:
    def run(client: Any) -> list[Any]:
        pipe = client.pipeline(transaction=False)
        queue(pipe)
        answers: list[Any] = pipe.execute()
        return answers

    return redis.call(purpose, run)
