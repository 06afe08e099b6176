"""Debouncing of tasks within one process. Different processes may ask for the same task; it is idempotent."""

import time
from collections.abc import Callable

from core import process_caches

_MAX_KEYS = 10_000


class Debouncer:
    """Lets one request per key pass in each interval."""

    def __init__(self) -> None:
        self._passed_at: dict[int, float] = {}
        process_caches.register(self._passed_at.clear)

    def passes(self, key: int, *, interval_seconds: float, timer: Callable[[], float] = time.monotonic) -> bool:
        """True, once per key and interval."""
        now = timer()
        if now - self._passed_at.get(key, -interval_seconds) < interval_seconds:
            return False
        if len(self._passed_at) >= _MAX_KEYS:
            self._passed_at.clear()
        self._passed_at[key] = now
        return True
