"""Placements: what they leave in Redis when they go."""

from typing import Any

from celery import shared_task

from recommendations.placements import cleanup, task_names


@shared_task(name=task_names.FORGET_PLACES)
def forget_places(*, tenant_id: int, **_: Any) -> None:
    """The lists of one tenant's placements that are no more."""
    cleanup.delete_cached_lists(tenant_id=tenant_id)
