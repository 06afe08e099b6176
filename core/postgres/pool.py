"""The pool of a web process: connections are given out to as many threads as may wait, checked, and never in vain."""

import time
from typing import Any

import psycopg
from django.db import connections
from psycopg_pool import ConnectionPool

from core import deadline
from core.postgres.connection import CHECK_SECONDS, BoundedConnection, check
from core.postgres.guard import guard

# While PostgreSQL is away the pool gives up quickly and tries anew when somebody asks. Its own default backs off for
# minutes, and would still be waiting when the server has long been back.
RECONNECT_SECONDS = 2.0


class GuardedPool(ConnectionPool[BoundedConnection]):
    """psycopg's pool, in which a thread that serves a request needs a place among those that may wait for PostgreSQL.

    A thread that serves no request, as one that refreshes a copy in the background, needs none.
    """

    def getconn(self, timeout: float | None = None) -> BoundedConnection:
        """As psycopg_pool's, for no longer than the request may last.

        Raises: PoolTimeout; DatabaseBusy at once where nobody else may wait.
        """
        wanted = self.timeout if timeout is None else timeout
        if not deadline.of_request():
            return self._checked(deadline.at_most(wanted))
        guard.enter()
        try:
            wanted = min(wanted, CHECK_SECONDS) if guard.doubtful else wanted
            connection = self._checked(deadline.at_most(wanted))
        except BaseException:
            guard.leave()
            guard.failed()
            raise
        connection.holds_place = True
        return connection

    def _checked(self, seconds: float) -> BoundedConnection:
        """A connection that works. psycopg_pool's own check waits a second and more after each that does not."""
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
        held, conn.holds_place = conn.holds_place, False
        try:
            super().putconn(conn)
        finally:
            if held:
                guard.leave()


def make(*, options: dict[str, Any], **arguments: Any) -> GuardedPool:
    """A pool that is not open yet, with these options of psycopg_pool's."""
    return GuardedPool(
        open=False,
        connection_class=BoundedConnection,
        **{"reconnect_timeout": RECONNECT_SECONDS, **options},
        **arguments,
    )


def release() -> None:
    """Gives the thread's connection back to the pool before something long that needs none, as an upload."""
    held = connections["default"]
    if held.settings_dict["OPTIONS"].get("pool") and not held.in_atomic_block:
        held.close()
