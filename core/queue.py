"""Handing work to Celery: by name, after the commit, never slower than 200 ms and never an error to the caller.

State rows are the record of work (architecture.md section 5); beat enqueues again what is due and unclaimed. So a
failed enqueue costs time, not work: it is counted and logged. After one failure the process offers the broker nothing
for a second, so that a request with a hundred tasks to hand over waits once and not a hundred times.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery import current_app
from django.db import transaction

from core.circuit_breaker import Breaker
from core.metrics import ENQUEUE_FAILURES

_log = structlog.get_logger(__name__)

breaker = Breaker(threshold=1)


def enqueue(task: str, /, *, countdown: float | None = None, **arguments: Any) -> None:
    """Sends the task when the current transaction has committed, at once if there is none."""
    transaction.on_commit(_sender(task, countdown, arguments))


def warm_up() -> None:
    """Imports what the first enqueue would import, and connects to the broker.

    Raises: whatever kombu's transport raises when the broker is away.
    """
    with current_app.producer_pool.acquire(block=True) as producer:
        _ = producer.channel


def _sender(task: str, countdown: float | None, arguments: dict[str, Any]) -> Callable[[], None]:
    def send() -> None:
        if not breaker.allows():
            ENQUEUE_FAILURES.labels(task).inc()
            return
        headers = {"request_id": structlog.contextvars.get_contextvars().get("request_id", "")}
        try:
            # One attempt, bounded by the transport's connect and read time-outs (core.redis.broker_options).
            current_app.send_task(task, kwargs=arguments, countdown=countdown, headers=headers, retry=False)
        except Exception as error:  # noqa: BLE001  # kombu raises whatever its transport raised
            breaker.failed()
            ENQUEUE_FAILURES.labels(task).inc()
            _log.warning("enqueue_failed", task=task, error=str(error))
        else:
            breaker.succeeded()

    return send
