"""Prevented replays: counted, stored for auditors, and logged."""

from datetime import datetime

import structlog

from accounts.metrics import JWT_REPLAY_PREVENTED
from accounts.models import ReplayAttempt

REFRESH: str = ReplayAttempt.Kind.REFRESH.value
DPOP: str = ReplayAttempt.Kind.DPOP.value
SYNTHETIC = "synthetic"
_log = structlog.get_logger(__name__)


def record(*, tenant_id: int, client_id: str, kind: str, subject: str, address: str, now: datetime) -> None:
    """Stores the attempt, in the caller's tenant scope, and counts it."""
    store(tenant_id=tenant_id, client_id=client_id, kind=kind, subject=subject, address=address, now=now)
    count(kind=kind, client_id=client_id)


def count_synthetic() -> None:
    """Counts a replay that a synthetic check made on purpose: it is no attempt, and no alert watches it."""
    JWT_REPLAY_PREVENTED.labels(SYNTHETIC).inc()


def store(*, tenant_id: int, client_id: str, kind: str, subject: str, address: str, now: datetime) -> None:
    """Stores the attempt only, in the caller's tenant scope."""
    ReplayAttempt.objects.create(
        tenant_id=tenant_id, client_id=client_id, kind=kind, subject=subject, address=address, at=now
    )


def count(*, kind: str, client_id: str) -> None:
    """Counts and logs the attempt only."""
    JWT_REPLAY_PREVENTED.labels(kind).inc()
    # The subject of a browser token is a person: the audit row has it, the log does not.
    _log.warning("replay_prevented", kind=kind, client_id=client_id)
