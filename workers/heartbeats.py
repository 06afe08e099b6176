"""Heartbeats of queues, end to end: beat sends a task through each queue, and the worker that runs it notes the time.

A worker that is connected but consumes nothing still says that it is there (workers.presence). Its queue's heartbeat
grows old all the same.
"""

from typing import Any

import structlog
from celery.signals import after_task_publish

from core import redis
from core.metrics.task_names import HEARTBEAT
from core.redis import RedisUnavailable

KEY = "{docent:workers}:heartbeats"
"""Hash: the Redis server's time of the last heartbeat, by queue."""
EVERY_SECONDS = 10.0
STALE_SECONDS = 30
_SET = "return redis.call(ARGV[2], KEYS[1], ARGV[1], redis.call('TIME')[1])"
_log = structlog.get_logger(__name__)


def record(queue: str) -> None:
    """Notes that a task of this queue has run. Without Redis nothing is noted, nor is anything asked about it."""
    _note(queue, "HSET")


def await_first(queue: str) -> None:
    """Notes that a heartbeat was sent through a queue that never had one: from now on it is missed."""
    _note(queue, "HSETNX")


def entry(queue: str) -> dict[str, Any]:
    """Beat's entry for one queue."""
    return {
        "task": HEARTBEAT,
        "schedule": EVERY_SECONDS,
        "kwargs": {"queue": queue},
        "options": {"queue": queue, "expires": STALE_SECONDS},
    }


def _note(queue: str, command: str) -> None:
    try:
        redis.call("heartbeat", lambda client: client.eval(_SET, 1, KEY, queue, command))
    except RedisUnavailable as error:
        _log.info("heartbeat_not_noted", queue=queue, error=str(error))


@after_task_publish.connect(sender=HEARTBEAT)
def _on_publish(body: Any = None, **_: Any) -> None:
    await_first(body[1]["queue"])
