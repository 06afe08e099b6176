"""Idempotency keys: deletes expired ones."""

from functools import partial
from typing import Any

from celery import shared_task

from accounts.tenancy import scope
from core import clock
from core.idempotency import cleanup, task_names


@shared_task(name=task_names.PURGE)
def purge(**_: Any) -> None:
    """Deletes expired keys of all tenants."""
    cleanup.purge(scope=partial(scope.all_tenants, "purge of idempotency keys"), now=clock.now())
