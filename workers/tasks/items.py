"""New and changed items: into the active artefact's reach and into lists."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.catalog import task_names
from recommendations.pipeline.fresh_items import run


@shared_task(name=task_names.TAKE_IN)
def take_in(*, tenant_id: int, **_: Any) -> None:
    """One tenant's."""
    run.take_in(tenant_id=tenant_id, now=clock.now())


@shared_task(name=task_names.SWEEP_ITEMS)
def sweep(**_: Any) -> None:
    """Those whose message was lost, whose time has come, or whose build serves now."""
    run.sweep(now=clock.now())
