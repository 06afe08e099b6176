"""Near line: people's lists after their events, and the sweep for what was missed."""

from collections.abc import Sequence
from typing import Any

from celery import shared_task

from core import clock
from recommendations.interactions import jobs
from recommendations.precompute import nearline
from recommendations.precompute import sweep as sweeping


@shared_task(name=jobs.RESCORE)
def rescore(*, tenant_id: int, user_pk: int | None = None, user_pks: Sequence[int] = (), **_: Any) -> None:
    """One person's list, or those of several."""
    people = [*user_pks, *([] if user_pk is None else [user_pk])]
    nearline.rescore(tenant_id=tenant_id, user_pks=people)


@shared_task(name=jobs.SWEEP_DIRTY)
def sweep(**_: Any) -> None:
    """Whoever still waits for near line, and withdrawn items that Redis may have missed."""
    now = clock.now()
    sweeping.sweep(now=now)
    sweeping.repeat_availability(now=now)
