"""Notification of workers that items have changed."""

import time
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from core.debounce import Debouncer
from core.queue import enqueue
from recommendations.catalog.task_names import TAKE_IN

_debouncer = Debouncer()


def notify_items_changed(tenant_id: int, *, timer: Callable[[], float] = time.monotonic) -> None:
    """Enqueues the ingestion of changed items after the commit, FRESH_DEBOUNCE_SECONDS later.

    A process enqueues it once per half of that time: until then the task that it enqueued before has not begun. The
    other half allows for clock differences; the sweep finds what is missed by more.
    """

    def notify() -> None:
        wait: float = settings.FRESH_DEBOUNCE_SECONDS
        if _debouncer.passes(tenant_id, interval_seconds=wait / 2, timer=timer):
            enqueue(TAKE_IN, countdown=wait, tenant_id=tenant_id)

    transaction.on_commit(notify)
