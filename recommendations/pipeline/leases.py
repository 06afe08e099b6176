"""Leases: who works on a build's step or on a chunk, and when another worker may take it over.

A claim is one conditional UPDATE that leaves a token. While the holder works, a thread prolongs the lease; a holder
that dies stops prolonging, and after BUILD_LEASE_SECONDS the row can be claimed again. The effect of the work is
committed together with a second conditional UPDATE on the token, so that a holder who was taken for dead and comes
back changes nothing. All times are the database's: workers' clocks need not agree.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from accounts.tenancy import scope
from core.quoting import quoted
from recommendations.pipeline.models import Build, Chunk

MAX_ATTEMPTS = 5
_log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Another worker holds the row now, or its build has ended: this one's work must not take effect."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed row. The token is the proof."""

    model: type[Build] | type[Chunk]
    pk: int
    build_id: int
    tenant_id: int
    token: uuid.UUID = field(default_factory=uuid.uuid4)


def free() -> Q:
    """Rows that nobody holds."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


def claim_step(*, tenant_id: int, build_id: int, status: str) -> Lease | None:
    """Takes the build's step if the build is in this status, with no chunk left to do, and nobody holds it."""
    lease = Lease(Build, build_id, build_id, tenant_id)
    with scope.tenant(tenant_id):
        rows = Build.objects.filter(free(), ~Exists(pending()), tenant_id=tenant_id, pk=build_id, status=status)
        return lease if rows.update(**_taken(lease)) else None


def pending() -> QuerySet[Chunk]:
    """For a query over builds: the chunks of each that are not done."""
    return Chunk.objects.filter(build=OuterRef("pk"), status=Chunk.Status.PENDING)


def claim_chunk(*, tenant_id: int, build_id: int) -> tuple[Lease, Chunk] | None:
    """Takes the next chunk that is to be done and that nobody holds; None when there is none."""
    with scope.tenant(tenant_id):
        chunk = claimable(tenant_id, build_id).select_for_update(skip_locked=True, of=("self",)).first()
        if chunk is None:
            return None
        lease = Lease(Chunk, chunk.pk, build_id, tenant_id)
        Chunk.objects.filter(tenant_id=tenant_id, pk=chunk.pk).update(**_taken(lease))
    return lease, chunk


def claimable(tenant_id: int, build_id: int) -> QuerySet[Chunk]:
    """Chunks of a build in scoring that can be claimed, in their order."""
    return Chunk.objects.filter(
        free(),
        tenant_id=tenant_id,
        build_id=build_id,
        build__status=Build.Status.SCORING,
        status=Chunk.Status.PENDING,
        attempts__lt=MAX_ATTEMPTS,
    ).order_by("number")


def finish(lease: Lease, **effects: Any) -> None:
    """Gives the row back with these changes. Call it in the transaction of the work's effect.

    Raises: LeaseLost, which must roll that transaction back.
    """
    held = lease.model.objects.filter(tenant_id=lease.tenant_id, pk=lease.pk, lease_token=lease.token)
    if not held.update(lease_token=None, lease_until=None, **effects):
        raise LeaseLost(f"{lease.model.__name__} {lease.pk}")


@contextmanager
def holding(lease: Lease) -> Iterator["Heartbeat"]:
    """Keeps the lease while the body works. After an error it is given back, so that the work is soon tried again."""
    heartbeat = Heartbeat(lease)
    heartbeat.start()
    try:
        yield heartbeat
    except LeaseLost:
        _log.warning("lease_lost", model=lease.model.__name__, pk=lease.pk)
        raise
    except BaseException as error:
        heartbeat.stop()
        _release(lease, error)
        raise
    finally:
        heartbeat.stop()


class Heartbeat:
    """Prolongs a lease from a thread, three times within its duration. Short work never starts a connection."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{lease.pk}", daemon=True)

    def start(self) -> None:
        """Begins to prolong."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it; returns when the thread's connection is closed."""
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Call between the parts of long work: there is no use in going on with a lost lease.

        Raises: LeaseLost.
        """
        if self._lost.is_set():
            raise LeaseLost(f"{self._lease.model.__name__} {self._lease.pk}")

    def _beat(self) -> None:
        try:
            while not self._ended.wait(settings.BUILD_LEASE_SECONDS / 3):
                if not self._prolong():
                    self._lost.set()
                    return
        finally:
            connection.close()

    def _prolong(self) -> bool:
        lease = self._lease
        try:
            with scope.tenant(lease.tenant_id):
                held = lease.model.objects.filter(tenant_id=lease.tenant_id, pk=lease.pk, lease_token=lease.token)
                return bool(held.update(lease_until=_expiry()))
        except Error as error:
            # The database is away for a moment: the next beat may still be in time, and `finish` decides anyway.
            _log.warning("lease_not_prolonged", pk=lease.pk, error=str(error))
            connection.close()
            return True


def database_now() -> datetime:
    """The database's clock, to the microsecond. Needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def _taken(lease: Lease) -> dict[str, Any]:
    return {"lease_token": lease.token, "lease_until": _expiry(), "attempts": F("attempts") + 1}


def _expiry() -> Any:
    return Now() + timedelta(seconds=settings.BUILD_LEASE_SECONDS)


def _release(lease: Lease, error: BaseException) -> None:
    try:
        with scope.tenant(lease.tenant_id):
            held = lease.model.objects.filter(tenant_id=lease.tenant_id, pk=lease.pk, lease_token=lease.token)
            if held.update(lease_token=None, lease_until=None):
                said = quoted(f"{type(error).__name__}: {error}", 500)
                Build.objects.filter(tenant_id=lease.tenant_id, pk=lease.build_id).update(error=said)
    except Error as second:
        _log.warning("lease_not_released", pk=lease.pk, error=str(second))
