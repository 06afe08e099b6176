"""The connection pool of a web process: bounded by the guard, with tested connections."""

import threading
import time
from typing import Any

import psycopg
from django.db import connections
from psycopg_pool import ConnectionPool

from core import deadline
from core.metrics import POOL_UTILIZATION, POOL_WAIT_SECONDS, POOL_WAITING
from core.postgres.connection import CHECK_SECONDS, BoundedConnection, check
from core.postgres.guard import guard

# While PostgreSQL is away the pool gives up quickly and tries anew when somebody asks. Its own default backs off for
# minutes, and would still be waiting when the server has long been back.
RECONNECT_SECONDS = 2.0


class GuardedPool(ConnectionPool[BoundedConnection]):
    """psycopg's pool, in which a thread that serves a request needs a place among those that may wait for PostgreSQL.

    A thread that serves no request, as one that refreshes a copy in the background, needs none.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._in_use, self._counting = 0, threading.Lock()
        super().__init__(*arguments, **options)

    def getconn(self, timeout: float | None = None) -> BoundedConnection:
        """As psycopg_pool's, for no longer than the request may last.

        Raises: PoolTimeout; DatabaseBusy at once where nobody else may wait.
        """
        started = time.perf_counter()
        POOL_WAITING.inc()
        try:
            connection = self._guarded(timeout)
        finally:
            POOL_WAITING.dec()
            POOL_WAIT_SECONDS.observe(time.perf_counter() - started)
        self._count(1)
        return connection

    def _count(self, change: int) -> None:
        with self._counting:
            self._in_use += change
            POOL_UTILIZATION.set(self._in_use / self.max_size)

    def _guarded(self, timeout: float | None) -> BoundedConnection:
        wanted = self.timeout if timeout is None else timeout
        if not deadline.is_for_request():
            return self._checked(deadline.cap_timeout(wanted))
        guard.enter()
        try:
            wanted = min(wanted, CHECK_SECONDS) if guard.doubtful else wanted
            connection = self._checked(deadline.cap_timeout(wanted))
        except BaseException:
            guard.leave()
            guard.record_failure()
            raise
        connection.holds_place = True
        return connection

    def _checked(self, seconds: float) -> BoundedConnection:
        """Returns a working connection. psycopg_pool's own check waits at least a second after each broken one."""
        ends = time.monotonic() + seconds
        while True:
            connection = super().getconn(ends - time.monotonic())
            try:
                check(connection)
            except psycopg.Error:
                connection.close()
                super().putconn(connection)
            else:
                return connection

    def putconn(self, conn: BoundedConnection) -> None:
        """As psycopg_pool's; gives the place back as well."""
        self._count(-1)
        had_place, conn.holds_place = conn.holds_place, False
        try:
            super().putconn(conn)
        finally:
            if had_place:
                guard.leave()


def create_pool(*, options: dict[str, Any], **arguments: Any) -> GuardedPool:
    """Creates a pool that is not open yet, with these options of psycopg_pool."""
    return GuardedPool(
        open=False,
        connection_class=BoundedConnection,
        **{"reconnect_timeout": RECONNECT_SECONDS, **options},
        **arguments,
    )


def release_connection() -> None:
    """Returns the thread's connection to the pool before long work that needs none, such as an upload."""
    connection = connections["default"]
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
