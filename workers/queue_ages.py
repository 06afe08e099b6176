"""Ages of queues: the time since the oldest message that still waits was sent."""

import json
import time
from datetime import datetime
from typing import Any

from celery import current_app
from celery.signals import before_task_publish

from workers.queues import QUEUES

SENT_AT = "sent_at"


@before_task_publish.connect
def _note_time(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        headers.setdefault(SENT_AT, time.time())


def ages(*, now: datetime) -> dict[str, float]:
    """The age of each queue in seconds; 0 for an empty one.

    Raises: whatever kombu's transport raises when the broker is away.
    """
    with current_app.producer_pool.acquire(block=True, timeout=1) as producer:
        channel: Any = producer.channel
        # Messages come in at the left and leave at the right.
        oldest = {queue.name: channel.client.lindex(queue.name, -1) for queue in QUEUES}
    return {name: _age(message, now) for name, message in oldest.items()}


def _age(message: bytes | None, now: datetime) -> float:
    if message is None:
        return 0.0
    try:
        sent_at = float(json.loads(message)["headers"][SENT_AT])
    except (KeyError, TypeError, ValueError):
        return 0.0  # sent by a version that noted no time
    return max(0.0, now.timestamp() - sent_at)
