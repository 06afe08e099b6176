"""Near line: users' lists after their events, and the sweep for lost tasks."""

from collections.abc import Sequence
from typing import Any

from celery import shared_task

from core import clock
from recommendations.interactions import task_names
from recommendations.pipeline.nearline import round_robin
from recommendations.pipeline.nearline import sweep as sweeping


@shared_task(name=task_names.RESCORE)
def rescore(*, tenant_id: int, user_pks: Sequence[int] = (), lane: str = "", **_: Any) -> None:
    """Runs one turn of a tenant."""
    round_robin.run_turn(tenant_id=tenant_id, user_pks=user_pks, lane=lane)


@shared_task(name=task_names.SWEEP_DIRTY)
def sweep(**_: Any) -> None:
    """Re-enqueues users whose task was lost, and re-sends withdrawals that Redis may have missed."""
    now = clock.now()
    sweeping.sweep(now=now)
    sweeping.repeat_availability(now=now)
