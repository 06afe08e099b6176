"""The pool of a web process: connections are given out to as many threads as may wait, checked, and never in vain."""

from typing import Any

from psycopg_pool import ConnectionPool

from core import deadline
from core.postgres.connection import CHECK_SECONDS, BoundedConnection
from core.postgres.guard import guard

# While PostgreSQL is away the pool gives up quickly and tries anew when somebody asks. Its own default backs off for
# minutes, and would still be waiting when the server has long been back.
RECONNECT_SECONDS = 2.0


class GuardedPool(ConnectionPool[BoundedConnection]):
    """psycopg's pool, in which a thread that serves a request needs a place among those that may wait for PostgreSQL.

    A thread without a deadline, as one that refreshes a copy in the background, needs none.
    """

    def getconn(self, timeout: float | None = None) -> BoundedConnection:
        """As psycopg_pool's, for no longer than the request may last.

        Raises: PoolTimeout; DatabaseBusy at once where nobody else may wait.
        """
        wanted = self.timeout if timeout is None else timeout
        if deadline.remaining() is None:
            return super().getconn(wanted)
        guard.enter()
        try:
            wanted = min(wanted, CHECK_SECONDS) if guard.doubtful else wanted
            connection = super().getconn(deadline.at_most(wanted))
        except BaseException:
            guard.leave()
            guard.failed()
            raise
        connection.holds_place = True
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
