"""Monthly usage: from Redis to PostgreSQL, and back if Redis has lost it."""

from typing import Any

from celery import shared_task

from accounts import task_names
from accounts.limits import usage
from core import clock


@shared_task(name=task_names.FLUSH_USAGE)
def flush(**_: Any) -> None:
    """Writes every tenant's counter."""
    usage.flush(now=clock.now())
