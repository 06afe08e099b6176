"""Reading and writing lists in Redis. An older list never replaces a newer one, whoever writes last."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from core import redis
from core.admission import Read
from recommendations.cache import availability, keys
from recommendations.cache.form import Corrupt, StoredList, decode
from recommendations.metrics import CACHE_READS

REFILL_TTL_SECONDS = 3600
# Longer than anybody takes from reading a list in Postgres to putting it into Redis.
TOMBSTONE_SECONDS = 600
# Sets KEYS[1] unless it holds a newer list (bytes 1 to 12 are build and version, big-endian) or KEYS[2] is there.
_PUT = """
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local held = redis.call('GETRANGE', KEYS[1], 1, 12)
if #held == 12 and held > string.sub(ARGV[1], 2, 13) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one round trip brought. `lists` is in the order asked; `gone` is None when Redis does not know."""

    lists: list[StoredList | None]
    gone: Mapping[str, float] | None


def reads(tenant_id: int, wanted: Sequence[str]) -> list[Read]:
    """What to read for these keys, in the order that `parse` expects."""
    return [*(("get", key) for key in wanted), ("hgetall", keys.gone(tenant_id))]


def parse(values: Sequence[Any]) -> Fetched:
    """What was read."""
    *bodies, raw_gone = values
    lists = [_decoded(body) for body in bodies]
    CACHE_READS.labels("hit").inc(sum(found is not None for found in lists))
    CACHE_READS.labels("miss").inc(sum(found is None for found in lists))
    return Fetched(lists, availability.parse(raw_gone))


def fetch(tenant_id: int, wanted: Sequence[str]) -> Fetched:
    """The lists under these keys and the tenant's withdrawn items, in ONE round trip.

    Raises: core.redis.RedisUnavailable.
    """

    def pipeline(client: Any) -> list[Any]:
        pipe = client.pipeline(transaction=False)
        for command, key in reads(tenant_id, wanted):
            getattr(pipe, command)(key)
        result: list[Any] = pipe.execute()
        return result

    return parse(redis.read("lists", pipeline))


def put_many(bodies: Iterable[tuple[str, bytes]], *, ttl_seconds: int | None = None, batch: int = 200) -> int:
    """Stores lists in batches; returns how many were newer than, or as new as, what Redis held.

    A list of a person who was erased a moment ago is not stored.

    Raises: core.redis.RedisUnavailable.
    """
    stored = 0
    pending: list[tuple[str, bytes]] = []
    for pair in bodies:
        pending.append(pair)
        if len(pending) >= batch:
            stored += _put(pending, ttl_seconds)
            pending = []
    return stored + (_put(pending, ttl_seconds) if pending else 0)


def _put(pairs: Sequence[tuple[str, bytes]], ttl_seconds: int | None) -> int:
    ttl = ttl_seconds or settings.LIST_TTL_SECONDS

    def pipeline(client: Any) -> int:
        pipe = client.pipeline(transaction=False)
        for key, body in pairs:
            owner = keys.owner(key)
            names = [key, keys.tombstone(*owner)] if owner else [key]
            pipe.execute_command("EVAL", _PUT, len(names), *names, body, ttl)
        return sum(pipe.execute())

    return redis.call("put_lists", pipeline)


def forget_user(tenant_id: int, user_id: str, placements: Iterable[str]) -> None:
    """Removes a person's lists at these placements; those that somebody has read before are not put back either.

    Raises: core.redis.RedisUnavailable.
    """
    names = [keys.user_list(tenant_id, placement, user_id) for placement in placements]

    def forget(client: Any) -> None:
        pipe = client.pipeline(transaction=False)
        pipe.set(keys.tombstone(tenant_id, user_id), b"", ex=TOMBSTONE_SECONDS)
        pipe.unlink(*names)
        pipe.execute()

    redis.call("forget_user", forget)


def forget_where(tenant_id: int, forgotten: Callable[[str], bool]) -> int:
    """Removes the lists of those people for whom `forgotten` holds; returns how many. Looks at every key there is.

    Whose list is removed though it is good finds it in Postgres again.
    Raises: core.redis.RedisUnavailable.
    """
    pattern = keys.personal_lists(tenant_id)
    found = redis.call("scan_lists", lambda client: list(client.scan_iter(match=pattern, count=1000)))
    stale = [key for key in found if (owner := keys.owner(key.decode())) and forgotten(owner[1])]
    for start in range(0, len(stale), 200):
        _unlink(stale[start : start + 200])
    return len(stale)


def _unlink(names: Sequence[bytes]) -> None:
    redis.call("forget_lists", lambda client: client.unlink(*names))


def _decoded(body: bytes | None) -> StoredList | None:
    if body is None:
        return None
    try:
        return decode(body)
    except Corrupt:
        return None
