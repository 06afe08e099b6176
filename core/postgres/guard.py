"""How many threads of a process may wait for PostgreSQL, and when to stop asking it.

A request that needs PostgreSQL holds one of DB_WAITING_THREADS places until it gives its connection back. Where all are
taken it waits for one as long as the statements of the others get on; when nothing has moved for a second, PostgreSQL
hangs or is very slow, and whoever comes is refused at once, so that the threads that are left serve what needs no
PostgreSQL. After three failures in a row the breaker opens, as for Redis (core.circuit_breaker).
"""

import threading
import time

import psycopg
from django.conf import settings

from core import deadline, process_caches
from core.circuit_breaker import Breaker
from core.metrics import DATABASE_BREAKER_OPENED, DATABASE_REFUSED

# After so long without an answer to any of those who hold a place, nobody else waits for one.
STALLED_SECONDS = 1.0


class DatabaseBusy(psycopg.OperationalError):
    """As many threads as may are waiting for PostgreSQL already, or it was not to be reached a moment ago."""


class Guard:
    """The places, and the breaker. One for each process; safe among threads."""

    def __init__(self) -> None:
        self.breaker = Breaker(on_open=DATABASE_BREAKER_OPENED.inc)
        self._free = threading.Condition()
        self._held = 0
        self._moved_at = 0.0

    @property
    def doubtful(self) -> bool:
        """Whether the last thing that was heard of PostgreSQL is a failure."""
        return self.breaker.failing

    def enter(self) -> None:
        """Takes a place.

        Raises: DatabaseBusy.
        """
        if not self.breaker.allows():
            DATABASE_REFUSED.labels("breaker").inc()
            raise DatabaseBusy("PostgreSQL was not to be reached a moment ago")
        give_up = time.monotonic() + deadline.at_most(settings.DB_POOL_TIMEOUT_SECONDS)
        with self._free:
            while self._held >= settings.DB_WAITING_THREADS:
                now = time.monotonic()
                until = min(give_up, self._moved_at + STALLED_SECONDS)
                if now >= until:
                    DATABASE_REFUSED.labels("places").inc()
                    raise DatabaseBusy(f"{self._held} threads are waiting for PostgreSQL already")
                self._free.wait(until - now)
            self._held += 1
            self._moved_at = time.monotonic()

    def leave(self) -> None:
        """Gives the place back."""
        with self._free:
            self._held -= 1
            self._moved_at = time.monotonic()
            self._free.notify()

    def progressed(self) -> None:
        """PostgreSQL has answered somebody who holds a place."""
        self._moved_at = time.monotonic()
        self.breaker.succeeded()

    def failed(self) -> None:
        """PostgreSQL has not answered in time, or cannot be reached."""
        self.breaker.failed()

    def forget(self) -> None:
        """Nothing has failed so far."""
        self.breaker.succeeded()


guard = Guard()
process_caches.register(guard.forget)
