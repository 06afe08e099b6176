"""The process's client, and the two ways to use it: `call` once, `read` with one repetition after a broken connection.

After three consecutive failures the breaker opens for a second, so that not every request pays the time-out.
"""

import random
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django_redis.pool import ConnectionFactory
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from core import process_caches, tracing
from core.circuit_breaker import Breaker
from core.metrics import REDIS_BREAKER_OPENED, REDIS_ERRORS, REDIS_SECONDS
from core.redis.connection import connect

T = TypeVar("T")
_log = structlog.get_logger(__name__)
_FAILURES = (RedisError, RedisClusterException, OSError)
# Refusals that speak of the server's state and not of our command. redis-py has no class for the words.
_STATES = (ReadOnlyError, MasterDownError, OutOfMemoryError, ClusterDownError, TryAgainError)
_STATE_WORDS = re.compile(r"\b(MISCONF|NOREPLICAS|BUSY) ")

breaker = Breaker(on_open=REDIS_BREAKER_OPENED.inc)
process_caches.register(breaker.record_success)


class RedisUnavailable(Exception):
    """Redis did not answer in time, cannot take the command now, or the breaker is open. Go on without it."""


@lru_cache(maxsize=1)
def client() -> Any:
    """The process's client for REDIS_URL. Typed loosely: a cluster's client has the same commands."""
    return connect(settings.REDIS_URL)


def call(purpose: str, command: Callable[[Any], T]) -> T:
    """Runs `command(client)` once, through the breaker. For writes, scripts and pipelines.

    Raises: RedisUnavailable when Redis cannot be reached, is too slow, cannot take the command in its present state
    (read-only after a failover, out of memory, loading), or the breaker is open. ResponseError for a command that is
    wrong in itself: a bug, which nobody should take for an outage.
    """
    if not breaker.allows():
        raise RedisUnavailable("breaker open")
    started = time.perf_counter()
    try:
        result = _traced(purpose, command) if tracing.enabled() else command(client())
    except _FAILURES as error:
        REDIS_SECONDS.labels(purpose).observe(time.perf_counter() - started)
        if _is_bug(error):
            breaker.record_success()
            raise
        _failed(purpose, error)
        raise RedisUnavailable(str(error)) from error
    REDIS_SECONDS.labels(purpose).observe(time.perf_counter() - started)
    breaker.record_success()
    return result


def _traced(purpose: str, command: Callable[[Any], T]) -> T:
    with tracing.span(f"redis {purpose}", {"db.system.name": "redis"}, kind="client"):
        return command(client())


def read(purpose: str, command: Callable[[Any], T]) -> T:
    """Runs a plain read; after a broken connection once more, 5 to 25 ms later. Never after a time-out.

    Raises: as `call`.
    """
    try:
        return call(purpose, command)
    except RedisUnavailable as error:
        if not isinstance(error.__cause__, RedisConnectionError):
            raise
    time.sleep(random.uniform(0.005, 0.025))  # noqa: S311  # jitter, not a secret
    return call(purpose, command)


def warm_up(connections: int = 2) -> None:
    """Opens connections before the first request needs them.

    Raises: RedisUnavailable when Redis is away; the process starts all the same.
    """

    def ping(connection: Any) -> None:
        pool = getattr(connection, "connection_pool", None)
        if pool is None:  # a cluster's client keeps a pool for each node
            connection.ping()
            return
        held: list[Any] = []
        try:
            held.extend(pool.get_connection() for _ in range(connections))
            for each in held:
                each.send_command("PING")
                each.read_response()
        finally:
            for each in held:
                pool.release(each)

    call("warm_up", ping)


class CacheConnectionFactory(ConnectionFactory):  # type: ignore[misc]
    """django-redis's connections are ours: the same client, time-outs and URL forms."""

    def connect(self, url: str) -> Any:
        """The client for the cache's URL; the process's own where it is the same server."""
        return client() if url == settings.REDIS_URL else connect(url)


def _is_bug(error: Exception) -> bool:
    return isinstance(error, ResponseError) and not isinstance(error, _STATES) and not _STATE_WORDS.search(str(error))


def _failed(purpose: str, error: Exception) -> None:
    REDIS_ERRORS.labels(purpose).inc()
    _log.warning("redis_failed", purpose=purpose, error=str(error), kind=type(error).__name__)
    if isinstance(error, OutOfMemoryError):
        return  # reads still work
    breaker.record_failure()
    if isinstance(error, ReadOnlyError) and (pool := getattr(client(), "connection_pool", None)) is not None:
        # The server we are connected to is no longer the master: the next command looks the address up anew.
        pool.disconnect(inuse_connections=False)
