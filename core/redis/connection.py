"""Clients and their options: at most 100 ms to connect, 200 ms to be answered, and no retry.

With one retry a hung server would already cost more than the latency objective allows; `core.redis.read` repeats what
is worth repeating.
"""

import socket
from typing import Any, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel

from core.redis.address import Address, parse
from core.redis.direct import DirectPool

POOL_WAIT_SECONDS = 0.05
# Sentinels get time-outs of their own: shorter ones read as "no master found" (redis-py #1125).
SENTINEL_OPTIONS: dict[str, Any] = {"socket_connect_timeout": 0.3, "socket_timeout": 0.5}
# A dead peer is noticed within 30 + 3 x 5 s, also by a connection that nobody uses.
_KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


def options() -> dict[str, Any]:
    """The connection options of every client of this process."""
    return {
        "socket_connect_timeout": settings.REDIS_CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": settings.REDIS_READ_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "socket_keepalive_options": _KEEPALIVE,
        "health_check_interval": 15,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
        "driver_info": None,  # two round trips less for each new connection
    }


def connect(url: str) -> redis.Redis | RedisCluster:
    """A client for the URL; all but a cluster's connect at their first command.

    Raises: ValueError for a URL that core.redis.address refuses; a cluster that is away raises redis-py's errors.
    """
    address = parse(url)
    if address.kind == "sentinel":
        return _sentinel(address)
    if address.kind == "cluster":
        return _cluster(address)
    extra = options()
    if address.kind == "unix":
        for tcp_only in ("socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"):
            del extra[tcp_only]
    pool = DirectPool.from_url(
        url,
        max_connections=settings.REDIS_MAX_CONNECTIONS,
        timeout=POOL_WAIT_SECONDS,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **extra,
    )
    return redis.Redis(connection_pool=pool)


def _sentinel(address: Address) -> redis.Redis:
    watchers = Sentinel(  # type: ignore[no-untyped-call]
        list(address.hosts),
        sentinel_kwargs={
            **SENTINEL_OPTIONS,
            "retry": Retry(NoBackoff(), 0),
            "password": settings.REDIS_SENTINEL_PASSWORD or None,
            **_tls(address),
        },
        username=address.username,
        password=address.password,
        db=address.database,
        max_connections=settings.REDIS_MAX_CONNECTIONS,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **_tls(address),
        **options(),
    )
    return cast(redis.Redis, watchers.master_for(address.master))  # type: ignore[no-untyped-call]


def _cluster(address: Address) -> RedisCluster:
    extra = {name: value for name, value in options().items() if name not in {"retry", "retry_on_timeout"}}
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],  # type: ignore[no-untyped-call]
        username=address.username,
        password=address.password,
        max_connections=settings.REDIS_MAX_CONNECTIONS,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        # One repetition is a cluster's way to follow a slot that has moved; it is no retry of a time-out.
        retry=Retry(NoBackoff(), 1),
        **_tls(address),
        **extra,
    )


def _tls(address: Address) -> dict[str, Any]:
    return {"ssl": True, **address.tls_options} if address.tls else {}
