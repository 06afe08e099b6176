"""Access: signing keys grow old, and what has expired goes."""

from typing import Any

from celery import shared_task

from accounts import jobs, key_ring, lockout, token_retention
from accounts.audit import retention as audit_retention
from core import clock


@shared_task(name=jobs.TEND_KEYS)
def tend_keys(**_: Any) -> None:
    """Rotates a key that is old enough; takes away what retired ones leave."""
    key_ring.tend(now=clock.now())


@shared_task(name=jobs.PURGE_TOKENS)
def purge_tokens(**_: Any) -> None:
    """Deletes what has expired."""
    now = clock.now()
    token_retention.purge(now=now)
    audit_retention.purge(now=now)
    lockout.purge(now=now)
