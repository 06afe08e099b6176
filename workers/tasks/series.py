"""The built-in time series: from the stream to PostgreSQL, and their retention."""

from typing import Any

from celery import shared_task

from core import clock
from core.series import cleanup, store, task_names
from core.series.families import QUEUE_AGE
from workers import presence


@shared_task(name=task_names.STORE)
def write(**_: Any) -> None:
    """Stores what the processes have sent, and the age of each queue. Safe at any time and concurrently."""
    now = clock.now()
    try:
        ages = {queue.name: queue.oldest_seconds for queue in presence.look().queues}
        store.add_gauge(QUEUE_AGE, ages, now=now)
    finally:
        # Other quick tasks wait in the same queue, and the next run is ten seconds away.
        store.flush(now=now, seconds=2.0)


@shared_task(name=task_names.PURGE)
def purge(**_: Any) -> None:
    """Deletes expired rows."""
    cleanup.purge(now=clock.now())
