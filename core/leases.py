"""Leases: exclusive claims on rows that expire unless they are renewed.

A claim is one conditional UPDATE that leaves a token. A holder that dies stops renewing, and once the lease has expired
another worker can claim the row. The effect of the work is committed together with a second conditional UPDATE on the
token, so that a holder that was presumed dead and comes back changes nothing. All times are the database's: the clocks
of the workers need not agree.

A leased model has the fields `lease_until`, `lease_token` and `attempts`.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import Error, connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

# Work that was begun this often and never finished has failed.
MAX_ATTEMPTS = 5
# A message that waits longer in the queue is presumed lost. A tenth of the age of the work is added, so that work that
# waits for hours behind other work does not fill the queue with copies of its message.
PATIENCE = timedelta(seconds=10)
Scope = Callable[[], AbstractContextManager[None]]
_log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Another worker holds the row now, or its work has ended: the effect of this work must not be committed."""


@dataclass(frozen=True, eq=False, slots=True)
class Lease:
    """A lease on the one row of `row`, for `seconds` at a time. `scope` opens the transaction of the row's tenant."""

    row: QuerySet[Any]
    seconds: float
    scope: Scope
    name: str
    token: uuid.UUID = field(default_factory=uuid.uuid4)

    def claim(self, *conditions: Any, **changes: Any) -> bool:
        """Takes the row with these changes if it meets the conditions and nobody holds it.

        Call it in the tenant's scope.
        """
        taken = self.row.filter(free(), *conditions).update(
            lease_token=self.token, lease_until=self._expiry(), attempts=F("attempts") + 1, **changes
        )
        return bool(taken)

    def keep(self, **changes: Any) -> None:
        """Makes these changes and renews the lease. Call it in the transaction of the work's effect.

        Raises:
            LeaseLost: It must roll that transaction back.
        """
        self._update(lease_until=self._expiry(), **changes)

    def finish(self, **changes: Any) -> None:
        """Makes these changes and returns the row. Call it in the transaction of the work's effect.

        Raises:
            LeaseLost: It must roll that transaction back.
        """
        self._update(lease_until=None, lease_token=None, **changes)

    def release(self, **changes: Any) -> bool:
        """Ends the lease early, in a transaction of its own; False where it was lost, which does no harm."""
        with self.scope():
            return bool(self._held().update(lease_until=None, lease_token=None, **changes))

    def renew(self) -> bool:
        """Renews the lease in a transaction of its own; False where it was lost."""
        with self.scope():
            return bool(self._held().update(lease_until=self._expiry()))

    def _update(self, **changes: Any) -> None:
        if not self._held().update(**changes):
            raise LeaseLost(self.name)

    def _held(self) -> QuerySet[Any]:
        return self.row.filter(lease_token=self.token)

    def _expiry(self) -> Any:
        return Now() + timedelta(seconds=self.seconds)


def free() -> Q:
    """Returns a condition for rows without a live lease."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


def is_overdue(*, enqueued_at: datetime | None, started_at: datetime, now: datetime) -> bool:
    """Returns true if the last message for work that started then must be presumed lost."""
    return enqueued_at is None or enqueued_at < now - (PATIENCE + (now - started_at) / 10)


def exhausted(step: str, last_error: str) -> str:
    """The error of work that was begun MAX_ATTEMPTS times."""
    return f"{step} was begun {MAX_ATTEMPTS} times and never finished." + (
        f" The last error: {last_error}" if last_error else ""
    )


@contextmanager
def holding(lease: Lease, *, on_error: Callable[[BaseException], None]) -> Iterator["Heartbeat"]:
    """Renews the lease while the body runs. After an error it is released, so that the work is soon tried again.

    `on_error` is called with the error, in the tenant's scope, if the lease was still held.
    """
    heartbeat = Heartbeat(lease)
    heartbeat.start()
    try:
        yield heartbeat
    except LeaseLost:
        _log.warning("lease_lost", lease=lease.name)
        raise
    except BaseException as error:
        heartbeat.stop()
        try:
            with lease.scope():
                if lease.release():
                    on_error(error)
        except Error as second:
            _log.warning("lease_not_released", lease=lease.name, error=str(second))
        raise
    finally:
        heartbeat.stop()


class Heartbeat:
    """Renews a lease from a thread, three times within its duration. Short work never opens a connection for it."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of {lease.name}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread; returns when its connection is closed."""
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Call it between the parts of long work: it is pointless to go on with a lost lease.

        Raises:
            LeaseLost: The lease could not be renewed.
        """
        if self._lost.is_set():
            raise LeaseLost(self._lease.name)

    def _beat(self) -> None:
        try:
            while not self._ended.wait(self._lease.seconds / 3):
                try:
                    if not self._lease.renew():
                        self._lost.set()
                        return
                except Error as error:
                    # The database is away for a moment: the next beat may be in time, and `finish` decides anyway.
                    _log.warning("lease_not_renewed", lease=self._lease.name, error=str(error))
                    connection.close()
        finally:
            connection.close()
