"""Attribution: what was served and what came of it, into the counts; old rows go."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.attribution import experiments, flush, jobs, retention, settle


@shared_task(name=jobs.GATHER)
def gather(**_: Any) -> None:
    """The stream first: clicks look for what it brings. Safe at any time, and twice at once."""
    now = clock.now()
    try:
        # People's lists wait in the same queue, and the next turn is two seconds away.
        flush.flush(now=now, seconds=1.0)
    finally:
        settle.settle(now=now)  # explicit events need no Redis


@shared_task(name=jobs.JUDGE)
def judge(**_: Any) -> None:
    """Looks at the running experiments."""
    experiments.judge_all(now=clock.now())


@shared_task(name=jobs.TIDY)
def tidy(**_: Any) -> None:
    """Deletes what is past its time."""
    retention.tidy(now=clock.now())
