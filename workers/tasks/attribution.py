"""Attribution: what was served and what came of it, into the counts; old rows go."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.attribution import attribute_events, cleanup, stream_consumer, task_names
from recommendations.experiments import lifecycle


@shared_task(name=task_names.GATHER)
def gather(**_: Any) -> None:
    """The stream first: clicks look for what it brings. Safe at any time, and twice at once."""
    now = clock.now()
    try:
        # People's lists wait in the same queue, and the next turn is two seconds away.
        stream_consumer.flush(now=now, seconds=1.0)
    finally:
        attribute_events.attribute(now=now)  # explicit events need no Redis


@shared_task(name=task_names.JUDGE)
def judge(**_: Any) -> None:
    """Looks at the running experiments."""
    lifecycle.judge_all(now=clock.now())


@shared_task(name=task_names.TIDY)
def tidy(**_: Any) -> None:
    """Deletes what is past its time."""
    cleanup.tidy(now=clock.now())
