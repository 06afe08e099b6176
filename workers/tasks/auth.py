"""Access: signing keys grow old, and what has expired goes."""

from typing import Any

from celery import shared_task

from accounts import task_names
from accounts.audit import retention as audit_retention
from accounts.keys import signing_keys
from accounts.staff import lockout
from accounts.tokens import cleanup
from core import clock


@shared_task(name=task_names.TEND_KEYS)
def tend_keys(**_: Any) -> None:
    """Rotates a key that is old enough; takes away what retired ones leave."""
    signing_keys.maintain(now=clock.now())


@shared_task(name=task_names.PURGE_TOKENS)
def purge_tokens(**_: Any) -> None:
    """Deletes what has expired."""
    now = clock.now()
    cleanup.purge(now=now)
    audit_retention.purge(now=now)
    lockout.purge(now=now)
