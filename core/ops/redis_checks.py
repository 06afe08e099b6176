"""System checks of the Redis servers' configuration. Ids as in core.ops.checks."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from redis.exceptions import RedisClusterException, RedisError

from core import redis

EVICTS = "core.W006"
_AWAY = (RedisError, RedisClusterException, OSError)

_HINT = (
    "Set maxmemory-policy noeviction, or name another server in {name}: revocations, replay guards, limits and queued"
    " tasks live there, not only copies (docs/operations/config.md)."
)


@register(Tags.database)
def nothing_is_evicted(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """A server that evicts keys would lose state that cannot be restored.

    Runs where a check may connect: before the web server starts, with `migrate`, and with `check --database default`.
    """
    if "default" not in (databases or ()):
        return []
    servers = {"REDIS_URL": settings.REDIS_URL, "CELERY_BROKER_URL": settings.CELERY_BROKER_URL}
    if servers["CELERY_BROKER_URL"] == servers["REDIS_URL"]:
        del servers["CELERY_BROKER_URL"]
    found: list[CheckMessage] = []
    for name, url in servers.items():
        policy = _policy(url)
        if policy not in ("", "noeviction"):
            text = f"The server of {name} evicts keys when its memory is full (maxmemory-policy {policy})."
            found.append(checks.Warning(text, hint=_HINT.format(name=name), id=EVICTS))
    return found


def _policy(url: str) -> str:
    """Returns the server's policy, empty if unreachable. From INFO: managed services refuse CONFIG."""
    try:
        client = redis.connect(url)
    except (ValueError, *_AWAY):
        return ""  # a bad URL is core.E003's, and being away is no misconfiguration
    try:
        answer = client.info("memory")
        # A cluster answers for each node.
        nodes = answer.values() if answer and all(isinstance(each, dict) for each in answer.values()) else [answer]
        policies = [str(node.get("maxmemory_policy", "")) for node in nodes]
    except _AWAY:
        return ""
    finally:
        client.close()
    return next((policy for policy in policies if policy != "noeviction"), "noeviction")
