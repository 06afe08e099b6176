"""Idempotency keys: those past their time go."""

from functools import partial
from typing import Any

from celery import shared_task

from accounts import scope
from core import clock
from core.idempotency import jobs, retention


@shared_task(name=jobs.PURGE)
def purge(**_: Any) -> None:
    """Deletes expired keys of all tenants."""
    retention.purge(scope=partial(scope.all_tenants, "purge of idempotency keys"), now=clock.now())
