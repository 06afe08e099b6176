"""Attribution: impressions and their outcomes into the counters; deletes old rows."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.attribution import attribute_events, cleanup, stream_consumer, task_names
from recommendations.experiments import lifecycle


@shared_task(name=task_names.GATHER)
def gather(**_: Any) -> None:
    """Consumes the stream first: clicks refer to its impressions. Safe at any time and concurrently."""
    now = clock.now()
    try:
        # Other quick tasks wait in the same queue, and the next run is two seconds away.
        stream_consumer.flush(now=now, seconds=1.0)
    finally:
        attribute_events.attribute(now=now)  # explicit events need no Redis


@shared_task(name=task_names.JUDGE)
def judge(**_: Any) -> None:
    """Analyses the running experiments."""
    lifecycle.judge_all(now=clock.now())


@shared_task(name=task_names.TIDY)
def tidy(**_: Any) -> None:
    """Deletes expired rows."""
    cleanup.tidy(now=clock.now())
