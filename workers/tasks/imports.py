"""Imports: a turn of one, and those that stand still."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.imports import lifecycle, task_names, worker


@shared_task(name=task_names.RUN)
def run(*, tenant_id: int, import_id: int, **_: Any) -> None:
    """A turn of an import."""
    worker.run_import(tenant_id=tenant_id, import_id=import_id, clock=clock.now)


@shared_task(name=task_names.RESUME)
def resume(**_: Any) -> None:
    """Imports that stand still go on."""
    lifecycle.resume_imports(now=clock.now())
