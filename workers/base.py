"""The one base of all tasks: metrics, log context, limits and retry policy, so that a task is bare logic."""

import time
from typing import Any

import structlog
from celery import Task
from django.db import InterfaceError, OperationalError, close_old_connections

from core import tracing
from core.metrics.task_names import HEARTBEAT, MEASURE
from core.redis import RedisUnavailable
from workers import messages
from workers.metrics import NAMES as QUEUE_NAMES
from workers.metrics import QUEUE_SECONDS, TASK_SECONDS, TASKS

# Sent every few seconds for as long as the service runs: their success is in the metrics.
QUIET = frozenset({HEARTBEAT, MEASURE})
_log = structlog.get_logger("docent.task")


class DocentTask(Task[Any, Any]):
    """Counts, times and logs each run; retries it with exponential backoff and jitter if a server was unavailable."""

    abstract = True
    autoretry_for = (OperationalError, InterfaceError, RedisUnavailable)
    max_retries = 5
    retry_backoff = 1
    retry_backoff_max = 30
    retry_jitter = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the task with its id, the request's id and its arguments bound to every log line."""
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            task=self.name,
            task_id=self.request.id,
            request_id=messages.request_id(self.request),
            **kwargs,
        )
        self._observe_wait()
        close_old_connections()
        started = time.perf_counter()
        try:
            carrier, attributes = self.request.headers, {"messaging.system": "celery"}
            with tracing.span(f"task {self.name}", attributes, kind="consumer", carrier=carrier):
                return super().__call__(*args, **kwargs)
        finally:
            TASK_SECONDS.labels(self.name).observe(time.perf_counter() - started)

    def _observe_wait(self) -> None:
        queue = (self.request.delivery_info or {}).get("routing_key")
        waited = messages.seconds_waited(self.request)
        if queue in QUEUE_NAMES and waited is not None:
            QUEUE_SECONDS.labels(queue).observe(waited)

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Counts the success."""
        TASKS.labels(self.name, "success").inc()
        (_log.debug if self.name in QUIET else _log.info)("task_done")

    def on_retry(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Counts and logs the retry."""
        TASKS.labels(self.name, "retry").inc()
        _log.warning("task_retried", error=str(exc))

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Counts the failure; the traceback is in the log, and the state row says what is still to do."""
        TASKS.labels(self.name, "failure").inc()
        tracing.report(exc)
        _log.error("task_failed", error=str(exc), exc_info=exc)
