"""Handing work to Celery: by name, after the commit, never slower than 200 ms and never an error to the caller.

State rows are the record of work (architecture.md section 5); beat enqueues again what is due and unclaimed. So a
failed enqueue costs time, not work: it is counted and logged.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery import current_app
from django.db import transaction

from core.metrics import ENQUEUE_FAILURES

_log = structlog.get_logger(__name__)


def enqueue(task: str, /, *, countdown: float | None = None, **arguments: Any) -> None:
    """Sends the task when the current transaction has committed, at once if there is none."""
    transaction.on_commit(_sender(task, countdown, arguments))


def _sender(task: str, countdown: float | None, arguments: dict[str, Any]) -> Callable[[], None]:
    def send() -> None:
        headers = {"request_id": structlog.contextvars.get_contextvars().get("request_id", "")}
        try:
            # One attempt: connect and write time-outs of the broker transport bound it (core.redis).
            current_app.send_task(task, kwargs=arguments, countdown=countdown, headers=headers, retry=False)
        except Exception as error:  # noqa: BLE001  # kombu raises whatever its transport raised
            ENQUEUE_FAILURES.labels(task).inc()
            _log.warning("enqueue_failed", task=task, error=str(error))

    return send
