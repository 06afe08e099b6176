"""A breaker: after some failures in a row, stop asking for a moment, then let one caller try."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


def _ignored() -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` failures in a row for `open_seconds`; then one caller a period may try.

    One per process and server, safe among threads. `timer` is monotonic seconds; `on_open` is told of each opening.
    """

    threshold: int = 3
    open_seconds: float = 1.0
    timer: Callable[[], float] = time.monotonic
    on_open: Callable[[], None] = _ignored
    _failures: int = 0
    _next_probe_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def failing(self) -> bool:
        """Whether the last try failed, enough of them to open it or not."""
        return self._failures > 0

    def allows(self) -> bool:
        """Whether to try; while open, at most one caller a period is told yes."""
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

    def succeeded(self) -> None:
        """Closes it."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """Counts one more failure in a row."""
        with self._lock:
            self._failures += 1
            if self._failures >= self.threshold:
                self._next_probe_at = self.timer() + self.open_seconds
            opened = self._failures == self.threshold
        if opened:
            self.on_open()
