"""Removing lists from Redis: one person's, those of placements that are no more, or whosesoever is named.

Configuration says which placements there are; lists may be there of others that were deleted or renamed since. So
whoever writes a list notes its placement in a set first (`keys.places`), and what forgets goes by the set. Where the
set is not known to be complete (lists of an older release, a server that was emptied), all keys are looked at once.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from core import redis
from recommendations.cache import keys

# Longer than anybody takes from reading a list in Postgres to putting it into Redis.
TOMBSTONE_SECONDS = 600
_COMPLETE = ""
_AT_ONCE = 200


def forget_user(tenant_id: int, user_id: str, placements: Iterable[str]) -> None:
    """Removes a person's lists at these placements and at all others that there ever were.

    The tombstone comes first: who has read a list before does not put it back, and nobody is shown one that is put
    back all the same.
    Raises: core.redis.RedisUnavailable.
    """

    def bury(client: Any) -> None:
        client.set(keys.tombstone(tenant_id, user_id), b"", ex=TOMBSTONE_SECONDS)

    redis.call("forget_user", bury)
    names = {*placements, *_places(tenant_id)}
    _unlink([keys.user_list(tenant_id, name, user_id) for name in sorted(names)])


def forget_places(tenant_id: int, *, keep: Collection[str]) -> int:
    """Removes everybody's lists at placements other than these; returns how many.

    Raises: core.redis.RedisUnavailable.
    """
    removed = 0
    for name in sorted(_places(tenant_id) - set(keep)):
        removed += _forget(tenant_id, name, lambda _key: True)
        _no_more(tenant_id, name)
    return removed


def forget_where(tenant_id: int, forgotten: Callable[[str], bool]) -> int:
    """Removes the lists of those people for whom `forgotten` holds; returns how many. Looks at every key there is.

    Whose list is removed though it is good finds it in Postgres again.
    Raises: core.redis.RedisUnavailable.
    """
    return _forget(tenant_id, "", lambda key: bool((owner := keys.owner(key)) and forgotten(owner[1])))


def _no_more(tenant_id: int, place: str) -> None:
    redis.call("forget_places", lambda client: client.srem(keys.places(tenant_id), place))


def _places(tenant_id: int) -> set[str]:
    name = keys.places(tenant_id)
    held: set[bytes] = redis.call("places", lambda client: client.smembers(name))
    found = {place.decode() for place in held}
    if _COMPLETE not in found:
        found |= {place for key in _scan(tenant_id) if (place := keys.place(key.decode()))}
        redis.call("places", lambda client: client.sadd(name, _COMPLETE, *found))
    return found - {_COMPLETE}


def _forget(tenant_id: int, placement: str, stale: Callable[[str], bool]) -> int:
    found = [key for key in _scan(tenant_id, placement) if stale(key.decode())]
    _unlink(found)
    return len(found)


def _scan(tenant_id: int, placement: str = "") -> list[bytes]:
    pattern = keys.personal_lists(tenant_id, placement)
    found: list[bytes] = redis.call("scan_lists", lambda client: list(client.scan_iter(match=pattern, count=1000)))
    return found


def _unlink(names: Sequence[bytes | str]) -> None:
    for start in range(0, len(names), _AT_ONCE):
        _unlink_some(names[start : start + _AT_ONCE])


def _unlink_some(names: Sequence[bytes | str]) -> None:
    redis.call("forget_lists", lambda client: client.unlink(*names))
