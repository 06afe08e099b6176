"""Turn the signals that mean "stop" into one exception, raised once, so that clean-up runs and is not cut short."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked us to stop. Not an `Exception`: only the outermost caller handles it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number

    @property
    def exit_status(self) -> int:
        """The exit status that a shell reports for a program ended by this signal."""
        return 128 + self.signal_number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first SIGINT, SIGTERM or SIGHUP raises `Interrupted`; later ones do nothing.

    Only in the main thread. Everything that is stopped afterwards must therefore be stopped within a set time.
    """

    def raise_once(signal_number: int, _frame: FrameType | None) -> None:
        for stopping in STOPPING:
            signal.signal(stopping, signal.SIG_IGN)
        raise Interrupted(signal_number)

    before = {stopping: signal.signal(stopping, raise_once) for stopping in STOPPING}
    try:
        yield
    finally:
        for stopping, handler in before.items():
            signal.signal(stopping, handler)
