"""AI's records: reservations of dead processes come back, what is too old goes, gauges are renewed."""

from typing import Any

from celery import shared_task
from django.conf import settings

from core import clock
from recommendations.ai import maintenance, task_names
from recommendations.ai.config.settings import AIConfiguration


@shared_task(name=task_names.TIDY)
def tidy(**_: Any) -> None:
    """Safe at any time, and twice at once."""
    maintenance.run_maintenance(AIConfiguration.from_settings(settings), now=clock.now())
