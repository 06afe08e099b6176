"""Reading and writing lists in Redis. An older list never replaces a newer one, whoever writes last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from core import redis
from core.ratelimit import Read
from recommendations.cache import keys, withdrawn_items
from recommendations.cache.list_codec import StoredList, decode_or_none
from recommendations.metrics import CACHE_READS

# Sets KEYS[1] unless it holds a newer list (bytes 1 to 12 are build and version, big-endian) or KEYS[2] is there.
_PUT = """
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local held = redis.call('GETRANGE', KEYS[1], 1, 12)
if #held == 12 and held > string.sub(ARGV[1], 2, 13) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class Cached:
    """The lists in the order of their keys, and the withdrawn items; None if Redis does not know those."""

    lists: list[StoredList | None]
    withdrawn: Mapping[str, float] | None


def read_commands(tenant_id: int, wanted: Sequence[str]) -> list[Read]:
    """Return the commands that read these lists, and the tombstones of their users, for `parse_replies`."""
    tombstones = (keys.tombstone(*whose) for key in wanted if (whose := keys.owner(key)))
    return [
        *(("get", key) for key in wanted),
        *(("get", key) for key in tombstones),
        ("hgetall", keys.withdrawn(tenant_id)),
    ]


def users_read_commands(tenant_id: int, placement: str, user_ids: Sequence[str]) -> tuple[list[str], list[Read]]:
    """Return the keys of these users' lists, and what `read_commands` returns for them, at less cost."""
    wanted = [keys.user_list(tenant_id, placement, user_id) for user_id in user_ids]
    tombstones = [keys.tombstone(tenant_id, user_id) for user_id in user_ids]
    reads: list[Read] = [("get", key) for key in wanted]
    reads += [("get", key) for key in tombstones]
    reads.append(("hgetall", keys.withdrawn(tenant_id)))
    return wanted, reads


def parse_replies(values: Sequence[Any], wanted: Sequence[str]) -> Cached:
    """Return the lists that the replies hold. A list of a user who was erased counts as a miss."""
    bodies, raw_withdrawn = values[: len(wanted)], values[-1]
    tombstones = iter(values[len(wanted) : -1])
    alive = (next(tombstones) is None if keys.owner(key) else True for key in wanted)
    lists = [decode_or_none(body) if is_alive else None for body, is_alive in zip(bodies, alive, strict=True)]
    CACHE_READS.labels("hit").inc(sum(found is not None for found in lists))
    CACHE_READS.labels("miss").inc(sum(found is None for found in lists))
    return Cached(lists, withdrawn_items.parse(raw_withdrawn))


def get_many(tenant_id: int, wanted: Sequence[str]) -> Cached:
    """Return the lists under these keys and the tenant's withdrawn items, in one round trip.

    Raises: core.redis.RedisUnavailable.
    """

    def pipeline(client: Any) -> list[Any]:
        pipe = client.pipeline(transaction=False)
        for command, key in read_commands(tenant_id, wanted):
            getattr(pipe, command)(key)
        result: list[Any] = pipe.execute()
        return result

    return parse_replies(redis.read("lists", pipeline), wanted)


def set_many(bodies: Iterable[tuple[str, bytes]], *, ttl_seconds: int | None = None, batch: int = 200) -> int:
    """Store lists by key, in batches; return the number of lists that are not older than those in Redis.

    A list of a user who was erased a moment ago is not stored.

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
        # Before the lists: what forgets them goes by these names.
        for name, places in _places(pairs).items():
            pipe.sadd(name, *places)
        first = len(pipe)
        for key, body in pairs:
            owner = keys.owner(key)
            names = [key, keys.tombstone(*owner)] if owner else [key]
            pipe.execute_command("EVAL", _PUT, len(names), *names, body, ttl)
        return sum(pipe.execute()[first:])

    return redis.call("put_lists", pipeline)


def _places(pairs: Iterable[tuple[str, bytes]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, _ in pairs:
        if (owner := keys.owner(key)) and (place := keys.place(key)):
            found.setdefault(keys.places(owner[0]), set()).add(place)
    return found
