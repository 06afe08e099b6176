"""Privacy: the log of erasures is copied to the storage, and what is past its time goes."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.erasures import backup
from recommendations.privacy import cleanup, task_names


@shared_task(name=task_names.COPY_LOG)
def copy_log(**_: Any) -> None:
    """Retry copies of the erasure log that the storage did not accept."""
    backup.copy_all_logs(now=clock.now())


@shared_task(name=task_names.PRUNE)
def prune(**_: Any) -> None:
    """Asks for every tenant."""
    cleanup.enqueue_all()


@shared_task(name=task_names.PRUNE_TENANT)
def prune_tenant(*, tenant_id: int, **_: Any) -> None:
    """A bounded part of one tenant's."""
    cleanup.delete_expired(tenant_id=tenant_id, now=clock.now())
