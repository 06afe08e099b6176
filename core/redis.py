"""The one place where the options of a Redis client are made: ours, django-redis's and Celery's.

URLs: `redis://`, `rediss://`, `unix://`, `sentinel://host:port,host:port/master/db`, `cluster://host:port,host:port`.

A client waits at most 100 ms for a connection and 200 ms for an answer, and does not retry on its own: with one retry
a hung server already costs more than the latency objective allows. `read` repeats a plain read once, after a broken
connection only. After three failures in a row the process stops asking for a second (the breaker), so that not every
request pays the time-out.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

import redis
import structlog
from django.conf import settings
from django_redis.pool import ConnectionFactory
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel

from core.metrics import REDIS_BREAKER_OPENED, REDIS_ERRORS

T = TypeVar("T")
_log = structlog.get_logger(__name__)
_BROKEN = (RedisError, OSError)


class RedisUnavailable(Exception):
    """Redis did not answer in time, or the breaker is open. The caller goes on without it."""


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` failures in a row for `open_seconds`; then lets one caller try.

    One per process, safe among threads; `timer` is monotonic seconds.
    """

    threshold: int = 3
    open_seconds: float = 1.0
    timer: Callable[[], float] = time.monotonic
    _failures: int = 0
    _closed_again_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self) -> bool:
        """Whether to try; while open, at most one caller a period is told yes."""
        if self._failures < self.threshold:
            return True
        with self._lock:
            now = self.timer()
            if now < self._closed_again_at:
                return False
            self._closed_again_at = now + self.open_seconds
            return True

    def succeeded(self) -> None:
        """Closes it."""
        self._failures = 0

    def failed(self) -> None:
        """Counts one more failure in a row."""
        with self._lock:
            self._failures += 1
            if self._failures >= self.threshold:
                self._closed_again_at = self.timer() + self.open_seconds
                if self._failures == self.threshold:
                    REDIS_BREAKER_OPENED.inc()


breaker = Breaker()


def options() -> dict[str, Any]:
    """The connection options of every client of this process."""
    return {
        "socket_connect_timeout": settings.REDIS_CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": settings.REDIS_READ_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
    }


def broker_options(*, worker: bool) -> dict[str, Any]:
    """Celery's transport options. A worker blocks while it waits for tasks, a web process must not.

    The restore settings hand the tasks of a killed worker out again as soon as their visibility ends; the defaults
    look only every hundred seconds and at ten tasks (kombu 5.7).
    """
    return {
        "visibility_timeout": settings.BROKER_VISIBILITY_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2.0 if worker else settings.REDIS_CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": 15.0 if worker else settings.REDIS_READ_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry_on_timeout": worker,
    }


def connect(url: str) -> redis.Redis | RedisCluster:
    """A client for the URL, connected lazily.

    Raises: ValueError for a scheme that is not supported or a Sentinel URL without a master's name.
    """
    parts = urlsplit(url)
    if parts.scheme in {"sentinel", "sentinels"}:
        return _sentinel(url)
    if parts.scheme in {"cluster", "clusters"}:
        return _cluster(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(f"{parts.scheme}:// is not a Redis URL: use redis, rediss, unix, sentinel or cluster.")
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=settings.REDIS_MAX_CONNECTIONS,
        timeout=0.05,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **options(),
    )
    return redis.Redis(connection_pool=pool)


def _sentinel(url: str) -> redis.Redis:
    parts = urlsplit(url)
    master, _, database = parts.path.strip("/").partition("/")
    if not master:
        raise ValueError("A Sentinel URL names its master: sentinel://host:port,host:port/mymaster/0")
    secure = {"ssl": True} if parts.scheme == "sentinels" else {}
    password = unquote(parts.password) if parts.password else None
    # Sentinels get time-outs of their own: too short ones read as "no master found" (redis-py #1125).
    watch = Sentinel(  # type: ignore[no-untyped-call]
        _hosts(parts.netloc, 26379),
        sentinel_kwargs={"socket_connect_timeout": 0.3, "socket_timeout": 0.5, "retry": Retry(NoBackoff(), 0)},
        password=password,
        db=int(database or 0),
        **secure,
        **options(),
    )
    return cast(redis.Redis, watch.master_for(master))  # type: ignore[no-untyped-call]


def _cluster(url: str) -> RedisCluster:
    parts = urlsplit(url)
    return RedisCluster(
        startup_nodes=[
            ClusterNode(host, port)  # type: ignore[no-untyped-call]
            for host, port in _hosts(parts.netloc, 6379)
        ],
        password=unquote(parts.password) if parts.password else None,
        ssl=parts.scheme == "clusters",
        **{key: value for key, value in options().items() if key not in {"retry", "retry_on_timeout"}},
        retry=Retry(NoBackoff(), 1),
    )


def _hosts(netloc: str, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for part in netloc.rpartition("@")[2].split(","):
        host, _, port = part.partition(":")
        hosts.append((host, int(port or default_port)))
    return hosts


@lru_cache(maxsize=1)
def client() -> Any:
    """The process's client for REDIS_URL. Typed loosely: a cluster's client has the same commands."""
    return connect(settings.REDIS_URL)


def call(purpose: str, command: Callable[[Any], T]) -> T:
    """Runs `command(client)` once, through the breaker. For writes, scripts and pipelines.

    Raises: RedisUnavailable when Redis cannot be reached, is too slow, or the breaker is open.
    """
    if not breaker.allows():
        raise RedisUnavailable("breaker open")
    try:
        result = command(client())
    except _BROKEN as error:
        breaker.failed()
        REDIS_ERRORS.labels(purpose).inc()
        _log.warning("redis_failed", purpose=purpose, error=str(error))
        raise RedisUnavailable(str(error)) from error
    breaker.succeeded()
    return result


def read(purpose: str, command: Callable[[Any], T]) -> T:
    """Runs a plain read; after a broken connection once more, 5 to 25 ms later. Never after a time-out.

    Raises: RedisUnavailable, as `call`.
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
        held: list[Any] = []
        pool = getattr(connection, "connection_pool", None)
        if pool is None:  # a cluster's client keeps a pool for each node
            connection.ping()
            return
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
    """django-redis's connections are this module's: the same client, time-outs and URL forms."""

    def connect(self, url: str) -> Any:
        """The client for the cache's URL; the process's own where it is the same server."""
        return client() if url == settings.REDIS_URL else connect(url)
