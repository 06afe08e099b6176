"""Running workers with their queues, and the state of queues: for operators, probes, the admin and /metrics.

Each worker notes in Redis every few seconds that it lives, which queues it takes, and whether it is busy; beat does so
when it has sent something. A note that was not renewed counts no more. It only informs: no work depends on it.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery import current_app
from celery.signals import after_task_publish, beat_init, heartbeat_sent, task_received, worker_shutting_down

from core import redis
from core.metrics.families import Value, exposition
from core.redis import RedisUnavailable
from workers import heartbeats, messages
from workers.metrics import BEAT_ALIVE, HEARTBEAT_AGE, QUEUE_AGE, QUEUE_BUSY, QUEUE_MESSAGES, QUEUE_PROCESSES
from workers.queues import QUEUES

KEY = "docent:workers"
STATES = "{docent:workers}:states"
FRESH_SECONDS = 30
_RENEW_SECONDS = 5.0
_KEPT_SECONDS = 86_400
BEAT = "beat"
# Hosts of containers have new names after each start: what old ones have left goes at some time.
_NOTE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[2]))
if redis.call('HLEN', KEYS[2]) > 500 then redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[2], tonumber(ARGV[2]))
"""
_READ = """
local now = tonumber(redis.call('TIME')[1])
local beats = redis.call('HGETALL', KEYS[3])
for i = 2, #beats, 2 do beats[i] = tostring(math.max(0, now - tonumber(beats[i]))) end
return {redis.call('ZRANGEBYSCORE', KEYS[1], now - tonumber(ARGV[1]), '+inf'), redis.call('HGETALL', KEYS[2]), beats}
"""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taker:
    """A worker that is there. `idle_seconds`: since it last got a task; `busy`: each of its processes runs one."""

    name: str
    queues: tuple[str, ...]
    processes: int
    busy: bool = False
    idle_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue: messages that wait in it, the workers that take them, and the age of its last heartbeat, if any."""

    name: str
    waiting: int
    takers: tuple[Taker, ...]
    oldest_seconds: float = 0.0
    heartbeat_seconds: float | None = None

    @property
    def processes(self) -> int:
        """The number of processes that take turns at it."""
        return sum(each.processes for each in self.takers)

    @property
    def busy(self) -> bool:
        """True if no process is free to take a message."""
        return bool(self.takers) and all(each.busy for each in self.takers)

    @property
    def stalled(self) -> bool:
        """True if its workers are there and one is free, but its heartbeats are not consumed."""
        stale = self.heartbeat_seconds is not None and self.heartbeat_seconds > heartbeats.STALE_SECONDS
        return bool(self.takers) and stale and not self.busy


@dataclass(frozen=True, slots=True)
class Presence:
    """All queues, all workers, and whether beat is there."""

    queues: tuple[QueueState, ...]
    beat: bool
    workers: tuple[Taker, ...] = ()

    @property
    def untaken(self) -> list[str]:
        """Queues without workers."""
        return [each.name for each in self.queues if not each.takers]

    @property
    def stalled(self) -> list[str]:
        """Queues that nobody consumes though their workers are there; without beat that is unknown."""
        return [each.name for each in self.queues if each.stalled] if self.beat else []


def look() -> Presence:
    """Return what there is now. Raises: RedisUnavailable, also where it is the broker that does not answer."""
    raw, states, beats = redis.call(
        "workers", lambda client: client.eval(_READ, 3, KEY, STATES, heartbeats.KEY, FRESH_SECONDS)
    )
    notes = [json.loads(each) for each in raw]
    state = {name.decode(): json.loads(text) for name, text in _pairs(states)}
    ages = {name.decode(): float(age) for name, age in _pairs(beats)}
    takers = tuple(
        Taker(name, tuple(queues), processes, *state.get(name, ())) for name, queues, processes in notes if name != BEAT
    )
    try:
        waiting = _waiting([queue.name for queue in QUEUES])
    except Exception as error:
        raise RedisUnavailable(f"broker: {error}") from error
    queues = tuple(
        QueueState(name, count, tuple(each for each in takers if name in each.queues), oldest, ages.get(name))
        for name, (count, oldest) in waiting.items()
    )
    return Presence(queues, beat=any(name == BEAT for name, *_ in notes), workers=takers)


def metrics() -> bytes:
    """Lines for Prometheus about queues and beat. Empty without Redis."""
    try:
        found = look()
    except RedisUnavailable:
        return b""
    return exposition(_values(found))


def _values(found: Presence) -> Iterator[Value]:
    for each in found.queues:
        yield QUEUE_MESSAGES, (each.name,), each.waiting
        yield QUEUE_AGE, (each.name,), each.oldest_seconds
        yield QUEUE_PROCESSES, (each.name,), each.processes
        yield QUEUE_BUSY, (each.name,), each.busy
        if each.heartbeat_seconds is not None:
            yield HEARTBEAT_AGE, (each.name,), each.heartbeat_seconds
    yield BEAT_ALIVE, (), found.beat


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _waiting(names: Iterable[str]) -> dict[str, tuple[int, float]]:
    """The number of messages in each queue, and the age of the oldest one: it is at the end of the list."""
    with current_app.producer_pool.acquire(block=True, timeout=1) as producer:
        channel: Any = producer.channel
        client = channel.client
        return {name: (int(client.llen(name)), _age(client.lindex(name, -1))) for name in names}


def _age(message: bytes | None) -> float:
    try:
        return max(0.0, time.time() - float(json.loads(message or "")["headers"][messages.SENT_AT]))
    except (KeyError, TypeError, ValueError):
        return 0.0  # an empty queue, or a message of somebody else


@dataclass(slots=True)
class _Note:
    """This process's note about itself, written at most every few seconds."""

    text: str = ""
    processes: int = 0
    said: float = field(default=-_RENEW_SECONDS)
    taken: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return str(json.loads(self.text)[0]) if self.text else ""

    def say(self) -> None:
        if self.text and time.monotonic() - self.said >= _RENEW_SECONDS:
            self.said = time.monotonic()
            try:
                redis.call("workers", self._write)
            except RedisUnavailable:
                pass  # said again in a few seconds
            except Exception as error:  # noqa: BLE001  # whatever it is, the worker works on
                _log.warning("presence_not_noted", error=str(error))

    def _write(self, client: Any) -> None:
        from celery.worker import state as worker_state  # noqa: PLC0415  # the web's processes look only

        busy = 0 < self.processes <= len(worker_state.active_requests)
        state = json.dumps([busy, round(time.monotonic() - self.taken, 1)])
        client.eval(_NOTE, 2, KEY, STATES, self.text, _KEPT_SECONDS, self.name, state)

    def take_back(self) -> None:
        text, self.text = self.text, ""
        if text:
            with suppress(RedisUnavailable):  # it will not be renewed
                redis.call("workers", lambda client: client.zrem(KEY, text))


_own = _Note()


def describe(name: str, queues: Iterable[str], processes: int) -> None:
    """Says once who this process is; its heartbeats say it again."""
    _own.text, _own.processes = json.dumps([name, sorted(queues), processes]), processes


@heartbeat_sent.connect
def _on_heartbeat(**_: Any) -> None:
    _own.say()


@task_received.connect
def _on_task(**_: Any) -> None:
    _own.taken = time.monotonic()


@beat_init.connect
def _on_beat(**_: Any) -> None:
    describe(BEAT, (), 0)
    _own.say()


@after_task_publish.connect
def _on_publish(**_: Any) -> None:
    """Beat has no heartbeat of its own, but sends something every few seconds. A worker's pool says nothing here."""
    if _own.text.startswith(f'["{BEAT}"'):
        _own.say()


@worker_shutting_down.connect
def _on_stop(**_: Any) -> None:
    _own.take_back()
