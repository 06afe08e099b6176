"""After a change of items: a worker is asked to take it in, once for what a process changes within some seconds."""

import time
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from core import process_caches
from core.queue import enqueue
from recommendations.catalog.task_names import TAKE_IN

_MOST_REMEMBERED = 10_000
_asked: dict[int, float] = {}


def items_changed(tenant_id: int, *, timer: Callable[[], float] = time.monotonic) -> None:
    """Asks when the current transaction has committed, FRESH_DEBOUNCE_SECONDS later.

    A process that has asked a moment ago does not ask again: the task that it asked for has not begun. The margin is
    for workers' clocks; what is missed by more, the sweep finds.
    """

    def ask() -> None:
        now = timer()
        wait: float = settings.FRESH_DEBOUNCE_SECONDS
        if now - _asked.get(tenant_id, -wait) < wait / 2:
            return
        if len(_asked) >= _MOST_REMEMBERED:
            _asked.clear()
        _asked[tenant_id] = now
        enqueue(TAKE_IN, countdown=wait, tenant_id=tenant_id)

    transaction.on_commit(ask)


@process_caches.register
def forget() -> None:
    """Forgets what this process has asked for."""
    _asked.clear()
