"""Metrics: heartbeats of queues, and values of the deployment."""

from typing import Any

from celery import shared_task

from core import clock
from core.metrics import task_names
from core.ops import measures
from workers import heartbeats


@shared_task(name=task_names.HEARTBEAT)
def heartbeat(*, queue: str, **_: Any) -> None:
    """Notes that this queue is consumed."""
    heartbeats.record(queue)


@shared_task(name=task_names.MEASURE)
def measure(**_: Any) -> None:
    """Measures what Prometheus reads from every web process."""
    measures.measure(now=clock.now())
