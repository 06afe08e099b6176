"""Limits the filtering of a process: FILTER_COST_AT_ONCE comparisons an item for one tenant, twice that for all.

Filters are the expensive part of a read for PostgreSQL. A tenant that sends many expensive ones at once is refused;
other tenants, and reads without a filter, are not affected.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from core.errors import RateLimited

_ALL = 0  # no tenant has this id
_lock = threading.Lock()
_running: Counter[int] = Counter()


@contextmanager
def filtering(*, tenant_id: int, cost: int) -> Iterator[None]:
    """Count the cost of a statement while it runs. A single statement may always run.

    Raises: RateLimited.
    """
    most: int = settings.FILTER_COST_AT_ONCE
    with _lock:
        own, everybody = _running[tenant_id], _running[_ALL]
        if (own and own + cost > most) or (everybody and everybody + cost > 2 * most):
            raise RateLimited(
                f"Expensive filters are running; this one costs {cost:,} comparisons per item. Send fewer at "
                "once, or with a smaller filter.",
                retry_after_seconds=1,
            )
        _running[tenant_id] += cost
        _running[_ALL] += cost
    try:
        yield
    finally:
        with _lock:
            for name in (tenant_id, _ALL):
                _running[name] -= cost
                if not _running[name]:
                    del _running[name]
