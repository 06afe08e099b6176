"""Withdrawn items: hidden, deleted or no longer available since the lists were built.

A change of the catalogue is pushed here after its commit and before its answer, so that no later read shows the item,
also from a cached list. The field '' says that the hash is complete; without it (Redis was emptied) a reader loads it
from Postgres first.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import structlog

from core import redis
from core.redis import RedisUnavailable
from recommendations.cache import keys
from recommendations.metrics import AVAILABILITY_PUSH_FAILURES

_log = structlog.get_logger(__name__)
COMPLETE = b""
# Deletes the fields whose value is still the one that was judged: a newer change is never lost.
_PRUNE = """
local removed = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    removed = removed + redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return removed
"""


def publish_availability(tenant_id: int, changes: Mapping[str, float | None]) -> bool:
    """Tells every reader from when on (unix second; 0 is now) an item may not be shown; None: it may again.

    Returns False when Redis is away: readers then use Postgres, and the sweep pushes it again when Redis is back.
    """
    if not changes:
        return True
    withdrawn = {item_id: _value(at) for item_id, at in changes.items() if at is not None}
    shown = [item_id for item_id, at in changes.items() if at is None]

    def push(client: Any) -> None:
        pipe = client.pipeline(transaction=False)
        if withdrawn:
            pipe.hset(keys.withdrawn(tenant_id), mapping=withdrawn)
        if shown:
            pipe.hdel(keys.withdrawn(tenant_id), *shown)
        pipe.execute()

    try:
        redis.call("availability", push)
    except RedisUnavailable:
        AVAILABILITY_PUSH_FAILURES.inc()
        return False
    return True


def load(tenant_id: int, withdrawn: Mapping[str, float]) -> None:
    """Completes the hash from what Postgres says. Adds only, so it never undoes a newer push.

    Raises: RedisUnavailable.
    """
    mapping: dict[str | bytes, str] = {item_id: _value(at) for item_id, at in withdrawn.items()}
    mapping[COMPLETE] = _value(0.0)
    redis.call("availability", lambda client: client.hset(keys.withdrawn(tenant_id), mapping=mapping))


def snapshot(tenant_id: int) -> dict[bytes, bytes]:
    """The hash as it is, for `prune`.

    Raises: RedisUnavailable.
    """
    raw: dict[bytes, bytes] = redis.call("availability", lambda client: client.hgetall(keys.withdrawn(tenant_id)))
    return raw


def prune(tenant_id: int, before: Mapping[bytes, bytes], still_withdrawn: Mapping[str, float]) -> int:
    """Forgets the items that no active list holds any more; returns how many.

    `before` is a `snapshot` taken before Postgres was asked what is still withdrawn.
    Raises: RedisUnavailable.
    """
    stale = [
        part
        for field, value in before.items()
        if field != COMPLETE and field.decode() not in still_withdrawn
        for part in (field, value)
    ]
    if not stale:
        return 0
    removed: int = redis.call("availability", lambda client: client.eval(_PRUNE, 1, keys.withdrawn(tenant_id), *stale))
    return removed


def parse(raw: Mapping[bytes, bytes]) -> dict[str, float] | None:
    """The hash as item id -> unix second; None when it is not complete."""
    if COMPLETE not in raw:
        return None
    return {field.decode(): float(value.partition(b"|")[0]) for field, value in raw.items() if field != COMPLETE}


def _value(at: float) -> str:
    return f"{at:.3f}|{secrets.token_hex(4)}"
