"""Collects this process's metrics into minutes, and sends them to the Redis stream every SERIES_FLUSH_SECONDS.

A thread reads the metrics that requests and tasks count anyway: a request does no work for it, and no SQL and no round
trip is on its way. The thread wakes at whole multiples of the interval, so that what it finds belongs to one minute.
While Redis is away the rows wait here. `stop` sends what is left; a kill costs one interval at most.
"""

import threading
import time
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings

from core.redis import RedisUnavailable
from core.series import stream
from core.series.families import PROCESS, families
from core.series.metrics import SERIES_DROPPED
from core.series.rows import Key, Row, Rows, merge
from core.series.sampler import Sampler

MINUTE = 60
ROWS_PER_BATCH = 2_000
MOST_ROWS = 50_000
"""Waiting rows of a process: more than a day of Redis being away."""
STOP_SECONDS = 3.0
_log = structlog.get_logger(__name__)


class Recorder:
    """One a process. `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._role = ""
        self._sampler: Sampler | None = None
        self._since = 0.0
        self._waiting: Rows = {}
        self._unsent: tuple[uuid.UUID, Rows] | None = None
        self._flushing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, role: str, *, thread: bool = True) -> None:
        """Collects from now on. Called once in each process, after the fork, before its first request or task."""
        self._role, self._since = role, self._clock()
        self._waiting, self._unsent, self._flushing = {}, None, threading.Lock()
        self._sampler = Sampler(families().values())
        self._stopping = threading.Event()
        if thread:
            self._thread = threading.Thread(target=self._run, args=(self._stopping,), name="series", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Sends what is left, within STOP_SECONDS, and collects no more. What cannot be sent is lost, and counted."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        until = time.monotonic() + STOP_SECONDS
        while not self.flush() and time.monotonic() < until:
            time.sleep(0.1)
        if left := len(self._waiting) + (len(self._unsent[1]) if self._unsent else 0):
            SERIES_DROPPED.labels("stopped").inc(left)
            _log.warning("series_lost", rows=left)
        self._sampler, self._waiting, self._unsent = None, {}, None

    def flush(self) -> bool:
        """Collects and sends; False when Redis is away, and the rows are kept for the next time."""
        with self._flushing:
            self._collect()
            while self._unsent or self._waiting:
                self._unsent = self._unsent or (uuid.uuid4(), self._take())
                batch_id, rows = self._unsent
                try:
                    if not stream.append(batch_id, rows):
                        SERIES_DROPPED.labels("stream_full").inc(len(rows))
                except RedisUnavailable:
                    return False
                self._unsent = None
        return True

    def _collect(self) -> None:
        if self._sampler is None:
            return
        now = self._clock()
        # The middle of the interval: the thread may wake somewhat late, but not by half of it.
        minute = int((self._since + now) / 2) // MINUTE * MINUTE
        rows = {(minute, *key): row for key, row in self._sampler.increases().items()}
        rows[minute, PROCESS, (self._role,), ()] = Row(count=1, total=max(0.0, now - self._since))
        self._since = now
        merge(self._waiting, rows.items())
        while len(self._waiting) > MOST_ROWS:
            del self._waiting[min(self._waiting)]
            SERIES_DROPPED.labels("buffer_full").inc()

    def _take(self) -> Rows:
        keys: list[Key] = sorted(self._waiting)[:ROWS_PER_BATCH]
        return {key: self._waiting.pop(key) for key in keys}

    def _run(self, stopping: threading.Event) -> None:
        every = settings.SERIES_FLUSH_SECONDS
        while not stopping.wait(every - self._clock() % every):
            try:
                self.flush()
            except Exception:  # noqa: BLE001  # a thread that ends would lose everything from here on
                _log.exception("series_not_sent")


recorder = Recorder()


def start() -> None:
    """For the web process's warm-up."""
    if settings.SERIES_FLUSH_SECONDS:
        recorder.start("web")


def start_worker() -> None:
    """For each process of a worker's pool."""
    if settings.SERIES_FLUSH_SECONDS:
        recorder.start("worker")


def stop() -> None:
    """For the process's end."""
    recorder.stop()
