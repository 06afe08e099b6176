"""The Celery application. Every option that loses work or time by default is set here (reliability first)."""

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")

from django.conf import settings

from core import redis
from workers import exposition, queues, schedules, starting  # noqa: F401  # some wait for Celery's signals
from workers.base import DocentTask


def _broker(*, worker: bool) -> dict[str, Any]:
    """Celery's settings for the broker, from ours.

    A URL that nobody can use is reported by the system checks (core.E003, core.E006), which run after this module was
    imported: no traceback may come before them, and nothing is sent anywhere.
    """
    try:
        url = redis.broker_url(settings.CELERY_BROKER_URL)
        return {
            "broker_url": url,
            # Celery prefers the variable CELERY_BROKER_URL, in which our own URL forms stand, to `broker_url`; not to
            # these two, which are what it connects with.
            "broker_read_url": url,
            "broker_write_url": url,
            "broker_use_ssl": redis.broker_tls(settings.CELERY_BROKER_URL),
            "broker_transport_options": redis.broker_options(worker=worker),
        }
    except ValueError:
        return dict.fromkeys(("broker_url", "broker_read_url", "broker_write_url"), "unusable://")


app = Celery("docent", task_cls=DocentTask)
app.conf.update(
    **_broker(worker=False),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    result_backend=None,
    task_ignore_result=True,
    # A task is acknowledged when it has ended; one whose process died goes back to the queue at once.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_acks_on_failure_or_timeout=True,
    worker_prefetch_multiplier=1,
    task_time_limit=settings.TASK_TIME_LIMIT_SECONDS,
    task_soft_time_limit=max(1, settings.TASK_TIME_LIMIT_SECONDS - 30),
    worker_soft_shutdown_timeout=10.0,
    worker_enable_soft_shutdown_on_idle=True,
    worker_max_memory_per_child=2_000_000,  # KiB; training is the only large thing
    worker_send_task_events=False,
    task_queues=queues.QUEUES,
    task_default_queue=queues.DEFAULT,
    task_routes=queues.ROUTES,
    beat_schedule=schedules.schedule(),
    timezone="UTC",
    enable_utc=True,
    accept_content=["json"],
    task_serializer="json",
    # Loaded when a worker starts, not when this module is imported: a web process asks for tasks by name, and needs
    # neither numpy nor the AI vendor's SDK.
    imports=(
        "workers.tasks.auth",
        "workers.tasks.ai",
        "workers.tasks.attribution",
        "workers.tasks.builds",
        "workers.tasks.idempotency",
        "workers.tasks.imports",
        "workers.tasks.items",
        "workers.tasks.metrics",
        "workers.tasks.nearline",
        "workers.tasks.placements",
        "workers.tasks.privacy",
        "workers.tasks.series",
        "workers.tasks.synthetic",
        "workers.tasks.usage",
        "workers.tasks.webhooks",
    ),
    # Django's fixup closes the connection around each task; the base task keeps it while it is good (CONN_MAX_AGE).
    CELERY_DB_REUSE_MAX=1_000_000,
)


@celeryd_init.connect
def _as_worker(conf: Any, **_: Any) -> None:
    """A worker waits for its broker; a web process must not."""
    conf.update(_broker(worker=True))


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Django has configured the logs; Celery shall not do it again."""
