"""AI maintenance: releases reservations of dead processes, deletes old records, updates gauges."""

from typing import Any

from celery import shared_task
from django.conf import settings

from core import clock
from recommendations.ai import maintenance, task_names
from recommendations.ai.config.settings import AIConfiguration


@shared_task(name=task_names.TIDY)
def tidy(**_: Any) -> None:
    """Runs the maintenance. Safe at any time and concurrently."""
    maintenance.run_maintenance(AIConfiguration.from_settings(settings), now=clock.now())
