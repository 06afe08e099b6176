"""New and changed items: ingests them and brings them into lists."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.catalog import task_names
from recommendations.pipeline.fresh_items import run


@shared_task(name=task_names.TAKE_IN)
def take_in(*, tenant_id: int, **_: Any) -> None:
    """Processes one tenant's fresh items."""
    run.process_fresh_items(tenant_id=tenant_id, now=clock.now())


@shared_task(name=task_names.SWEEP_ITEMS)
def sweep(**_: Any) -> None:
    """Enqueues pending fresh items: lost task, start of availability, or newly published build."""
    run.sweep(now=clock.now())
