"""A connection pool with a short way for the one command of a hot request.

redis-py spends more on a command than the server does: retries, an event for its metrics, a look at the socket of each
connection that leaves the pool. `execute` does without: it keeps connections of its own, which it has borrowed from
the pool, and looks only at those that were idle for a while. A failure is the caller's to judge, as everywhere here
(core.redis.access), and its connection goes back to the pool closed.
"""

import time
from collections import deque
from typing import Any

import redis
from redis.exceptions import ResponseError

# A connection that the server has closed meanwhile is noticed before something is sent over it.
_LOOK_AFTER_SECONDS = 1.0


class DirectPool(redis.BlockingConnectionPool):
    """A blocking pool that also runs single commands itself. Half of its connections at most wait for that."""

    _waiting: deque[tuple[float, Any]]

    def reset(self) -> None:
        """Forgets all connections, as after a fork."""
        self._waiting = deque()
        super().reset()  # type: ignore[no-untyped-call]

    def execute(self, *command: Any) -> Any:
        """Sends one command and returns the server's reply as it came.

        Raises: redis-py's errors; ResponseError for what the server refuses.
        """
        self._checkpid()
        connection = self._take()
        try:
            connection.send_packed_command(connection.pack_command(*command))
            reply = connection.read_response()
        except ResponseError:
            self._keep(connection)
            raise
        except BaseException:
            connection.disconnect()
            self.release(connection)  # type: ignore[no-untyped-call]
            raise
        self._keep(connection)
        return reply

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Closes the connections, those that wait here included."""
        while self._waiting:
            _, connection = self._waiting.pop()
            connection.disconnect()
            self.release(connection)  # type: ignore[no-untyped-call]
        super().disconnect(inuse_connections)

    def _take(self) -> Any:
        try:
            since, connection = self._waiting.pop()
        except IndexError:
            return self.get_connection()  # type: ignore[no-untyped-call]
        if time.monotonic() - since > _LOOK_AFTER_SECONDS and (
            connection.should_reconnect() or _is_spoiled(connection)
        ):
            connection.disconnect()
        return connection

    def _keep(self, connection: Any) -> None:
        if 2 * len(self._waiting) < self.max_connections:
            self._waiting.append((time.monotonic(), connection))
        else:
            self.release(connection)  # type: ignore[no-untyped-call]


def _is_spoiled(connection: Any) -> bool:
    """Tell if something came on an idle connection: its end, or bytes that belong to no command."""
    try:
        return bool(connection.can_read(timeout=0))
    except (redis.ConnectionError, OSError):
        return True
