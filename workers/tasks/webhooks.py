"""Webhooks: delivers one message, and sweeps for due ones."""

from functools import partial
from typing import Any

from celery import shared_task

from accounts.tenancy import scope
from core import clock
from core.webhooks import deliver, task_names


@shared_task(name=task_names.DELIVER)
def deliver_one(*, tenant_id: int, delivery_id: int, **_: Any) -> None:
    """Delivers a message if it is due."""
    deliver.deliver(scope=partial(scope.tenant, tenant_id), delivery_id=delivery_id, now=clock.now())


@shared_task(name=task_names.SWEEP)
def sweep(**_: Any) -> None:
    """Enqueues due messages again."""
    deliver.sweep(scope=partial(scope.all_tenants, "webhooks: what is due"), now=clock.now())
