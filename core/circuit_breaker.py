"""Circuit breaker: after some consecutive failures, stops calls for a moment, then lets one caller probe."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


def _no_op() -> None:
    """Default of `on_open`."""


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` consecutive failures for `open_seconds`; then one caller per period may probe.

    One per process and server, safe among threads. `timer` is monotonic seconds; `on_open` is called at each opening.
    """

    threshold: int = 3
    open_seconds: float = 1.0
    timer: Callable[[], float] = time.monotonic
    on_open: Callable[[], None] = _no_op
    _failures: int = 0
    _next_probe_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def failing(self) -> bool:
        """True if the last call failed, even if the breaker is still closed."""
        return self._failures > 0

    def allows(self) -> bool:
        """Returns true if a call may be made; while open, at most one caller per period may probe."""
        if self._failures < self.threshold:
            return True
        with self._lock:
            if self._failures < self.threshold:
                return True
            now = self.timer()
            if now < self._next_probe_at:
                return False
            self._next_probe_at = now + self.open_seconds
            return True

    def record_success(self) -> None:
        """Closes the breaker."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def record_failure(self) -> None:
        """Counts one more consecutive failure."""
        with self._lock:
            self._failures += 1
            if self._failures >= self.threshold:
                self._next_probe_at = self.timer() + self.open_seconds
            opened = self._failures == self.threshold
        if opened:
            self.on_open()
