"""Limit on the threads that may wait for PostgreSQL, and a circuit breaker for it.

A request that needs PostgreSQL holds one of DB_WAITING_THREADS places until it returns its connection. If all are
taken it waits while the statements of the others make progress; after a second without progress PostgreSQL hangs or is
very slow, and new requests are refused at once, so that the remaining threads serve requests that need no PostgreSQL.
After three consecutive failures the breaker opens, as for Redis (core.circuit_breaker).
"""

import threading
import time

import psycopg
from django.conf import settings

from core import deadline, process_caches
from core.circuit_breaker import Breaker
from core.metrics import DATABASE_BREAKER_OPENED, DATABASE_REFUSED

# After so long without an answer to any holder of a place, no other thread waits for one.
STALLED_SECONDS = 1.0


class DatabaseBusy(psycopg.OperationalError):
    """The limit of threads that wait for PostgreSQL is reached, or it was unreachable a moment ago."""


class Guard:
    """The places, and the breaker. One for each process; safe among threads."""

    def __init__(self) -> None:
        self.breaker = Breaker(on_open=DATABASE_BREAKER_OPENED.inc)
        self._free = threading.Condition()
        self._taken = 0
        self._moved_at = 0.0

    @property
    def doubtful(self) -> bool:
        """True if the last contact with PostgreSQL failed."""
        return self.breaker.failing

    def enter(self) -> None:
        """Takes a place.

        Raises: DatabaseBusy.
        """
        if not self.breaker.allows():
            DATABASE_REFUSED.labels("breaker").inc()
            raise DatabaseBusy("PostgreSQL was not to be reached a moment ago")
        give_up = time.monotonic() + deadline.cap_timeout(settings.DB_POOL_TIMEOUT_SECONDS)
        with self._free:
            while self._taken >= settings.DB_WAITING_THREADS:
                now = time.monotonic()
                until = min(give_up, self._moved_at + STALLED_SECONDS)
                if now >= until:
                    DATABASE_REFUSED.labels("places").inc()
                    raise DatabaseBusy(f"{self._taken} threads are waiting for PostgreSQL already")
                self._free.wait(until - now)
            self._taken += 1
            self._moved_at = time.monotonic()

    def leave(self) -> None:
        """Gives the place back."""
        with self._free:
            self._taken -= 1
            self._moved_at = time.monotonic()
            self._free.notify()

    def record_progress(self) -> None:
        """Records an answer to a holder of a place."""
        self._moved_at = time.monotonic()
        self.breaker.record_success()

    def record_failure(self) -> None:
        """Records a timeout or an unreachable server."""
        self.breaker.record_failure()

    def reset(self) -> None:
        """Forgets earlier failures."""
        self.breaker.record_success()


guard = Guard()
process_caches.register(guard.reset)
