"""A connection that waits no longer than the request's deadline, and is discarded if it timed out."""

import queue
import select
import threading
import time
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg import capabilities, generators, waiting
from psycopg.abc import PQGen

from core import deadline
from core.postgres.guard import guard

RV = TypeVar("RV")
_log = structlog.get_logger(__name__)
# A transaction whose time is up still has to be told so, and its connection be put in order.
WIND_UP_SECONDS = 0.25
# A connection idle for longer is tested before it is handed out.
IDLE_SECONDS = 15.0
CHECK_SECONDS = 1.0
_CANCEL_SECONDS = 2.0
_INTERVAL = 0.1


class ServerHangs(psycopg.OperationalError):
    """PostgreSQL has not answered within the request's time. The connection is closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """Holds every exchange with the server to the deadline that is open; without one it waits as psycopg does.

    When the time is up the statement is cancelled on the side and the connection closed: what the server would still
    send must never be read as the answer to something else.
    """

    last_used = 0.0
    holds_place = False  # set by the pool (core.postgres.guard)

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:
        """As psycopg's.

        Raises: ServerHangs at the deadline.
        """
        left = deadline.remaining()
        try:
            if left is None:
                return super().wait(gen, interval=interval, timeout=timeout)
            return self._wait_until(gen, interval, max(left, WIND_UP_SECONDS), timeout)
        finally:
            if not self.closed:  # it has answered, if only that something is wrong
                self.last_used = time.monotonic()
                if self.holds_place:
                    guard.record_progress()

    def _wait_until(self, gen: PQGen[RV], interval: float, left: float, timeout: float | None) -> RV:
        if timeout is not None and timeout < left:
            return super().wait(gen, interval=interval, timeout=timeout)
        try:
            return super().wait(gen, interval=min(interval, left), timeout=left)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001  # it has no public name
            self.discard()
            raise ServerHangs("PostgreSQL did not answer before the request's deadline") from error

    def discard(self) -> None:
        """Closes the connection at once, and has the statement cancelled that may still be running."""
        _cancel_later(self)
        self.pgconn.finish()
        guard.record_failure()


def check(connection: BoundedConnection) -> None:
    """For the pool: whether the connection may be given out. Asks the server only where there is doubt.

    A server that was stopped or a proxy that cut an idle connection leaves something to be read on the socket; a
    connection that has been idle for long may have been forgotten by something in between.
    Raises: psycopg.Error where it is broken.
    """
    idle = time.monotonic() - connection.last_used
    if idle < IDLE_SECONDS and not guard.doubtful and not _readable(connection.pgconn.socket):
        return
    with deadline.within(CHECK_SECONDS):
        connection.execute("")


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLPRI)
    return bool(poll.poll(0))


# Cancelling is a connection of its own, to a server that may hang: a thread on the side does it, a few at most.
_cancellations: "queue.Queue[Any]" = queue.Queue(maxsize=32)
_canceller: threading.Thread | None = None
_lock = threading.Lock()


def _cancel_later(connection: BoundedConnection) -> None:
    if connection.closed or not capabilities.has_cancel_safe():
        return
    try:
        _cancellations.put_nowait(connection.pgconn.cancel_conn())
    except (queue.Full, psycopg.Error):
        return  # statement_timeout ends it as well (core.postgres.limits)
    global _canceller
    with _lock:
        if _canceller is None or not _canceller.is_alive():
            _canceller = threading.Thread(target=_cancel_all, name="cancellations", daemon=True)
            _canceller.start()


def _cancel_all() -> None:
    while True:
        try:
            cancellation = _cancellations.get(timeout=5.0)
        except queue.Empty:
            return
        try:
            cancellation.start()
            waiting.wait_conn(generators.cancel(cancellation), timeout=_CANCEL_SECONDS)
        except Exception as error:  # noqa: BLE001  # the server is away or hangs: nothing more can be done
            _log.info("cancellation_failed", error=str(error))
        finally:
            cancellation.finish()


def lost(error: BaseException | None) -> bool:
    """Returns true if the connection ended in the middle, as when PostgreSQL restarts: the query may be repeated.

    A server that hangs, is busy or was not to be reached is something else.
    """
    cause = error.__cause__ if error is not None and error.__cause__ is not None else error
    if isinstance(cause, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown):
        return True
    return type(cause) is psycopg.OperationalError and cause.sqlstate is None
