"""Replays that were prevented: counted, kept for the auditor, told in the log."""

from datetime import datetime

import structlog

from accounts.metrics import JWT_REPLAY_PREVENTED
from accounts.models import ReplayAttempt

REFRESH: str = ReplayAttempt.Kind.REFRESH.value
DPOP: str = ReplayAttempt.Kind.DPOP.value
_log = structlog.get_logger(__name__)


def record(*, tenant_id: int, client_id: str, kind: str, subject: str, address: str, now: datetime) -> None:
    """Writes the row, in the caller's tenant scope, and counts."""
    keep(tenant_id=tenant_id, client_id=client_id, kind=kind, subject=subject, address=address, now=now)
    count(kind=kind, client_id=client_id, subject=subject)


def keep(*, tenant_id: int, client_id: str, kind: str, subject: str, address: str, now: datetime) -> None:
    """The row alone, in the caller's tenant scope."""
    ReplayAttempt.objects.create(
        tenant_id=tenant_id, client_id=client_id, kind=kind, subject=subject, address=address, at=now
    )


def count(*, kind: str, client_id: str, subject: str) -> None:
    """The metric and the log line alone."""
    JWT_REPLAY_PREVENTED.labels(kind).inc()
    _log.warning("replay_prevented", kind=kind, client_id=client_id, subject=subject)
