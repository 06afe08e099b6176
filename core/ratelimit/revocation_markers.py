"""Revocation markers in Redis, where the limiter sees them. Postgres is the truth; a marker only makes it quick.

A marker lives as long as a token that it must stop. The tenant's generation says that its markers were loaded; gone
with everything else when Redis is emptied, it makes the limiter answer UNKNOWN_REVOCATION until they are loaded again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from core import redis
from core.ratelimit import keys
from core.redis import RedisUnavailable

# What a failed push has missed is loaded by then; processes that poll Postgres know it much sooner.
GENERATION_SECONDS = 3600
# In one piece: a generation never stands without the markers that were loaded with it.
_LOAD = """
for i = 2, #KEYS do redis.call('SET', KEYS[i], '1', 'EX', ARGV[i]) end
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
return #KEYS - 1
"""


@dataclass(frozen=True, slots=True)
class Revoked:
    """A revoked tenant, client or token, and the seconds for which its tokens could still be valid."""

    kind: Literal["tenant", "client", "token"]
    seconds: int
    name: str = ""

    def key(self, tenant_id: int) -> str:
        """Returns the key of its marker."""
        if self.kind == "tenant":
            return keys.revoked_tenant(tenant_id)
        return (keys.revoked_client if self.kind == "client" else keys.revoked_token)(tenant_id, self.name)


def publish(*, tenant_id: int, revoked: Revoked) -> bool:
    """Sets the marker; returns false if Redis is unreachable: then Postgres alone must stop them."""
    key, seconds = revoked.key(tenant_id), max(1, revoked.seconds)
    return _done(lambda client: client.set(key, "1", ex=seconds))


def withdraw(*, tenant_id: int, revoked: Revoked) -> bool:
    """Removes the marker; returns false if Redis is unreachable: then the marker expires by itself."""
    key = revoked.key(tenant_id)
    return _done(lambda client: client.unlink(key))


def load(*, tenant_id: int, revoked: Iterable[Revoked], generation_seconds: int = GENERATION_SECONDS) -> None:
    """Sets all markers that Postgres knows of, and the generation. Adds only: it never undoes a newer `publish`.

    Raises: RedisUnavailable.
    """
    markers = {each.key(tenant_id): max(1, each.seconds) for each in revoked}
    names = [keys.generation(tenant_id), *markers]
    given = [*names, generation_seconds, *markers.values()]
    redis.call("revocation", lambda client: client.eval(_LOAD, len(names), *given))


def _done(command: Callable[[Any], object]) -> bool:
    try:
        redis.call("revocation", command)
    except RedisUnavailable:
        return False
    return True
