"""Placements: what they leave in Redis when they go."""

from typing import Any

from celery import shared_task

from recommendations.placements import jobs, leaving


@shared_task(name=jobs.FORGET_PLACES)
def forget_places(*, tenant_id: int, **_: Any) -> None:
    """The lists of one tenant's placements that are no more."""
    leaving.forget(tenant_id=tenant_id)
