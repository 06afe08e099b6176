"""Implied impressions, from the moment a page is served to the stream. The request only puts a tuple into a queue.

A thread takes what has come every IMPRESSION_FLUSH_SECONDS (0.1) and appends it to the Redis stream: neither SQL nor a
round trip on the request's way. `stop` sends what is left. The queue holds IMPRESSION_BUFFER pages; what comes when it
is full, as while Redis is away, is dropped and counted. A kill costs what the thread had not taken yet
(docs/adr/0032).
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from django.conf import settings

from accounts.tenancy import tenant_cache
from core.redis import RedisUnavailable
from recommendations.attribution import impression_stream
from recommendations.attribution.metrics import IMPRESSIONS_DROPPED, IMPRESSIONS_SENT
from recommendations.attribution.served_pages import Page, wire

PAGES_PER_BATCH = 500
STOP_SECONDS = 3.0
Served = tuple[int, str, str | None, str, str, str, Sequence[str], float, Page | None]
_log = structlog.get_logger(__name__)


class ImpressionBuffer:
    """One a process. Where `start` was not called nobody would send anything, and nothing is collected."""

    def __init__(self) -> None:
        self.running = False
        self._pages: deque[Served] = deque()
        self._unsent: tuple[uuid.UUID, list[list[Any]], int] | None = None
        self._dropped = 0
        self._flushing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def record(
        self,
        *,
        tenant_id: int,
        recommendation_id: str,
        user_id: str | None,
        placement: str,
        arm: str,
        source: str,
        item_ids: Sequence[str],
        at: float,
        page: Page | None = None,
    ) -> None:
        """Notes that a page was served at this unix second, where the tenant counts served pages. Never waits.

        With `page` it is kept as well, and not only counted.
        """
        if not self.running or not item_ids:
            return
        facts = tenant_cache.tenant(tenant_id)
        if facts is None or not facts.implied_impressions:
            return
        if len(self._pages) >= settings.IMPRESSION_BUFFER:
            self._dropped += 1  # the thread tells the metric
            return
        self._pages.append((tenant_id, recommendation_id, user_id, placement, arm, source, item_ids, at, page))

    def record_users_pages(
        self, *, tenant_id: int, pages: Iterable[tuple[str, str, str, str, str, Sequence[str], Page | None]], at: float
    ) -> None:
        """Notes several users' pages, as `record` does: recommendation, user, placement, arm, source, items, page."""
        facts = tenant_cache.tenant(tenant_id) if self.running else None
        if facts is None or not facts.implied_impressions:
            return
        room = settings.IMPRESSION_BUFFER - len(self._pages)
        for number, (*names, item_ids, page) in enumerate(pages):
            if number >= room:
                self._dropped += 1
            else:
                self._pages.append((tenant_id, *names, item_ids, at, page))  # type: ignore[arg-type]

    def start(self, *, thread: bool = True) -> None:
        """Collects from now on. Called once in each web process, after the fork."""
        self.running = True
        if thread and (self._thread is None or not self._thread.is_alive()):
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="impressions", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Sends what is left, within STOP_SECONDS, and collects no more. What cannot be sent is lost, and counted."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        self.running = False
        until = time.monotonic() + STOP_SECONDS
        while not self.flush() and time.monotonic() < until:
            time.sleep(0.1)
        if left := len(self._pages) + (self._unsent[2] if self._unsent else 0):
            IMPRESSIONS_DROPPED.labels("stopped").inc(left)
            _log.warning("impressions_lost", pages=left)
        self._pages.clear()
        self._unsent = None

    def flush(self) -> bool:
        """Sends what has come; False when Redis is away, and it is kept for the next time."""
        with self._flushing:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                IMPRESSIONS_DROPPED.labels("buffer_full").inc(dropped)
            while self._unsent or self._pages:
                self._unsent = self._unsent or self._take()
                try:
                    self._send(*self._unsent)
                except RedisUnavailable:
                    return False
                self._unsent = None
        return True

    def _take(self) -> tuple[uuid.UUID, list[list[Any]], int]:
        taken: list[Served] = []
        while self._pages and len(taken) < PAGES_PER_BATCH:
            taken.append(self._pages.popleft())
        return uuid.uuid4(), merged(taken), len(taken)

    def _send(self, batch_id: uuid.UUID, pages: list[list[Any]], count: int) -> None:
        if impression_stream.append(batch_id, pages):
            IMPRESSIONS_SENT.inc(count)
        else:
            IMPRESSIONS_DROPPED.labels("stream_full").inc(count)

    def _run(self) -> None:
        while not self._stopping.wait(settings.IMPRESSION_FLUSH_SECONDS):
            try:
                self.flush()
            except Exception:  # noqa: BLE001  # a thread that ends would lose everything from here on
                _log.exception("impressions_not_sent")


def merged(pages: Iterable[Served]) -> list[list[Any]]:
    """The same page served again within one hour becomes one entry: how often, and first and last when."""
    found: dict[tuple[int, str, int], list[Any]] = {}
    for tenant_id, recommendation_id, user_id, placement, arm, source, item_ids, at, page in pages:
        key = (tenant_id, recommendation_id, int(at) // 3600)
        if entry := found.get(key):
            entry[7] += 1
            entry[5], entry[6] = min(entry[5], at), max(entry[6], at)
        else:
            found[key] = [
                tenant_id,
                recommendation_id,
                user_id,
                placement,
                [arm, source],
                at,
                at,
                1,
                impression_stream.joined(item_ids),
                None if page is None else wire(page),
            ]
    return list(found.values())


impression_buffer = ImpressionBuffer()


def start() -> None:
    """For the web process's warm-up."""
    impression_buffer.start()


def stop() -> None:
    """For the web process's end."""
    impression_buffer.stop()
