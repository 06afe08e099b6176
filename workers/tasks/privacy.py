"""Privacy: the log of erasures is copied to the storage, and what is past its time goes."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.erasures import copies
from recommendations.privacy import jobs, retention


@shared_task(name=jobs.COPY_LOG)
def copy_log(**_: Any) -> None:
    """What the storage did not take at once."""
    copies.write_all(now=clock.now())


@shared_task(name=jobs.PRUNE)
def prune(**_: Any) -> None:
    """Asks for every tenant."""
    retention.prune_all()


@shared_task(name=jobs.PRUNE_TENANT)
def prune_tenant(*, tenant_id: int, **_: Any) -> None:
    """A bounded part of one tenant's."""
    retention.prune(tenant_id=tenant_id, now=clock.now())
