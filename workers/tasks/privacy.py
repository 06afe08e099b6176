"""Privacy: the log of erasures is copied to the storage."""

from typing import Any

from celery import shared_task

from core import clock
from recommendations.erasures import copies
from recommendations.privacy import jobs


@shared_task(name=jobs.COPY_LOG)
def copy_log(**_: Any) -> None:
    """What the storage did not take at once."""
    copies.write_all(now=clock.now())
