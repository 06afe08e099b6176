"""Synthetic checks: of the region that is configured, and the outcomes of runners elsewhere."""

from typing import Any

from celery import shared_task

from core import clock
from workers.synthetic import collection, task_names


@shared_task(name=task_names.RUN)
def run(**_: Any) -> None:
    """Runs each check once from the configured region."""
    collection.run_here()


@shared_task(name=task_names.COLLECT)
def collect(**_: Any) -> None:
    """Fetches the runners' outcomes, and deletes old ones."""
    collection.collect_all(now=clock.now())
