"""Running workers with their queues, and queue lengths: for operators, the admin and /metrics.

Each worker notes in Redis every few seconds that it lives and which queues it takes; beat does so when it sends
something. A note that was not renewed counts no more. It only informs: no work depends on it.
"""

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery import current_app
from celery.signals import beat_init, before_task_publish, heartbeat_sent, worker_shutting_down
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from core import redis
from core.redis import RedisUnavailable
from workers.queues import QUEUES

KEY = "docent:workers"
FRESH_SECONDS = 30
_RENEW_SECONDS = 5.0
_KEPT_SECONDS = 86_400
BEAT = "beat"
_NOTE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[2]))
"""
_READ = "return redis.call('ZRANGEBYSCORE', KEYS[1], tonumber(redis.call('TIME')[1]) - tonumber(ARGV[1]), '+inf')"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taker:
    """A worker that is there."""

    name: str
    queues: tuple[str, ...]
    processes: int


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue: how many messages wait in it, and who takes them."""

    name: str
    waiting: int
    takers: tuple[Taker, ...]

    @property
    def processes(self) -> int:
        """The number of processes that take turns at it."""
        return sum(each.processes for each in self.takers)


@dataclass(frozen=True, slots=True)
class Presence:
    """All queues, and whether beat is there."""

    queues: tuple[QueueState, ...]
    beat: bool

    @property
    def untaken(self) -> list[str]:
        """Queues without workers."""
        return [each.name for each in self.queues if not each.takers]


def look() -> Presence:
    """Return what there is now. Raises: RedisUnavailable, also where it is the broker that does not answer."""
    raw = redis.call("workers", lambda client: client.eval(_READ, 1, KEY, FRESH_SECONDS))
    notes = [json.loads(each) for each in raw]
    takers = [Taker(name, tuple(queues), processes) for name, queues, processes in notes if name != BEAT]
    try:
        waiting = _waiting([queue.name for queue in QUEUES])
    except Exception as error:
        raise RedisUnavailable(f"broker: {error}") from error
    states = (
        QueueState(name, count, tuple(each for each in takers if name in each.queues))
        for name, count in waiting.items()
    )
    return Presence(tuple(states), beat=any(name == BEAT for name, *_ in notes))


def metrics() -> bytes:
    """Lines for Prometheus: messages that wait in each queue, and processes that take them. Empty without Redis."""
    try:
        found = look()
    except RedisUnavailable:
        return b""
    registry = CollectorRegistry()
    waiting = Gauge("docent_queue_messages", "Messages that wait in a queue.", ["queue"], registry=registry)
    processes = Gauge("docent_queue_processes", "Processes that take a queue's messages.", ["queue"], registry=registry)
    beat = Gauge("docent_beat_alive", "Whether beat has sent something lately.", registry=registry)
    for each in found.queues:
        waiting.labels(each.name).set(each.waiting)
        processes.labels(each.name).set(each.processes)
    beat.set(found.beat)
    return generate_latest(registry)


def _waiting(names: Iterable[str]) -> dict[str, int]:
    with current_app.producer_pool.acquire(block=True, timeout=1) as producer:
        channel: Any = producer.channel
        client = channel.client
        return {name: int(client.llen(name)) for name in names}


@dataclass(slots=True)
class _Note:
    """This process's note about itself, written at most every few seconds."""

    text: str = ""
    said: float = field(default=-_RENEW_SECONDS)

    def say(self) -> None:
        if self.text and time.monotonic() - self.said >= _RENEW_SECONDS:
            self.said = time.monotonic()
            try:
                redis.call("workers", lambda client: client.eval(_NOTE, 1, KEY, self.text, _KEPT_SECONDS))
            except RedisUnavailable:
                pass  # said again in a few seconds
            except Exception as error:  # noqa: BLE001  # whatever it is, the worker works on
                _log.warning("presence_not_noted", error=str(error))

    def take_back(self) -> None:
        text, self.text = self.text, ""
        if text:
            with suppress(RedisUnavailable):  # it will not be renewed
                redis.call("workers", lambda client: client.zrem(KEY, text))


_own = _Note()


def describe(name: str, queues: Iterable[str], processes: int) -> None:
    """Says once who this process is; its heartbeats say it again."""
    _own.text = json.dumps([name, sorted(queues), processes])


@heartbeat_sent.connect
def _on_heartbeat(**_: Any) -> None:
    _own.say()


@beat_init.connect
def _on_beat(**_: Any) -> None:
    describe(BEAT, (), 0)
    _own.say()


@before_task_publish.connect
def _on_publish(**_: Any) -> None:
    """Beat has no heartbeat of its own, but sends something every few seconds. A worker's pool says nothing here."""
    if _own.text.startswith(f'["{BEAT}"'):
        _own.say()


@worker_shutting_down.connect
def _on_stop(**_: Any) -> None:
    _own.take_back()
