"""Headers that every message carries: the time at which it was sent, and the id of the request that caused it."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from celery.signals import before_task_publish

SENT_AT, REQUEST_ID = "sent_at", "request_id"


def request_id(request: Any) -> str:
    """The id of the request behind a task; the task's own id where none is, so that what it starts can be followed."""
    return str(_headers(request).get(REQUEST_ID) or request.id or "")


def seconds_waited(request: Any) -> float | None:
    """Seconds since a task was sent or due; None for a message without the time. Clocks of hosts may differ."""
    sent = _headers(request).get(SENT_AT)
    if not isinstance(sent, int | float):
        return None
    due = max(sent, datetime.fromisoformat(request.eta).timestamp()) if request.eta else sent
    return max(0.0, time.time() - due)


def _headers(request: Any) -> Mapping[str, Any]:
    return request.headers or {}


@before_task_publish.connect
def _stamp(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        headers[SENT_AT] = time.time()
        headers[REQUEST_ID] = headers.get(REQUEST_ID) or structlog.contextvars.get_contextvars().get(REQUEST_ID, "")
