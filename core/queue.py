"""Enqueues Celery tasks by name, after the commit, within 200 ms, and without errors to the caller.

State rows are the record of work (architecture.md section 5); beat enqueues due and unclaimed work again. A failed
enqueue therefore costs time, not work: it is counted and logged. After one failure the process does not contact the
broker for a second, so that a request with a hundred tasks waits once and not a hundred times.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery import current_app
from django.db import transaction

from core import tracing
from core.circuit_breaker import Breaker
from core.metrics import ENQUEUE_FAILURES

_log = structlog.get_logger(__name__)

breaker = Breaker(threshold=1)


def enqueue(task: str, /, *, countdown: float | None = None, **arguments: Any) -> None:
    """Sends the task after the current transaction commits, or at once without one."""
    transaction.on_commit(_sender(task, countdown, arguments))


def warm_up() -> None:
    """Imports what the first enqueue would import, and connects to the broker. For the start of a process.

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
            with tracing.span(f"enqueue {task}", {"messaging.system": "celery"}, kind="producer"):
                tracing.inject(headers)
                # One attempt, bounded by the transport's connect and read time-outs (core.redis.broker_options).
                current_app.send_task(task, kwargs=arguments, countdown=countdown, headers=headers, retry=False)
        except Exception as error:  # noqa: BLE001  # kombu raises whatever its transport raised
            breaker.record_failure()
            ENQUEUE_FAILURES.labels(task).inc()
            _log.warning("enqueue_failed", task=task, error=str(error))
        else:
            breaker.record_success()

    return send
