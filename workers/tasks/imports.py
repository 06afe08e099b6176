"""Imports: runs one for a turn, and resumes those that stopped."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.imports import lifecycle, task_names, worker


@shared_task(name=task_names.RUN)
def run(*, tenant_id: int, import_id: int, **_: Any) -> None:
    """Runs an import for one turn."""
    worker.run_import(tenant_id=tenant_id, import_id=import_id, clock=clock.now)


@shared_task(name=task_names.RESUME)
def resume(**_: Any) -> None:
    """Resumes imports that stopped."""
    lifecycle.resume_imports(now=clock.now())
