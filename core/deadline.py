"""One deadline for each request; every wait is limited by the time that remains.

The edge of the web process opens it (core.http.middleware), core.postgres holds every statement to it, and domain code
with long loops calls `check` between iterations. Worker tasks open none: they have time limits of their own. The
time is the process's monotonic clock, so `now` is not passed.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from core.errors import Unavailable

T = TypeVar("T")


@dataclass(slots=True)
class _Deadline:
    """Seconds on the monotonic clock; reading a long body moves `ends`."""

    ends: float
    seconds: float
    background: bool = False


_current: ContextVar[_Deadline | None] = ContextVar("docent_deadline", default=None)


class DeadlineExceeded(Unavailable):
    """The request has exceeded its time limit. Its transaction was rolled back."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The request took longer than {seconds:g} seconds and was aborted. Nothing is half done; request less at "
            "once, or try again."
        )


@contextmanager
def within(seconds: float, *, since: float | None = None, background: bool = False) -> Iterator[None]:
    """Limits the time inside, counted from `since` (`time.monotonic()`) if given.

    An earlier deadline that is already open takes precedence. `background` is for threads that serve no request and
    therefore need no place in core.postgres.guard.
    """
    outer = _current.get()
    ends = (time.monotonic() if since is None else since) + seconds
    if outer is not None and outer.ends < ends:
        yield
        return
    token = _current.set(_Deadline(ends, seconds, background))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def paused() -> Iterator[None]:
    """Stops the clock inside: for reading a long body, which has a minimum rate of its own."""
    deadline, started = _current.get(), time.monotonic()
    try:
        yield
    finally:
        if deadline is not None:
            deadline.ends += time.monotonic() - started


def remaining() -> float | None:
    """Returns the remaining seconds, at least 0; None if no deadline is open."""
    deadline = _current.get()
    return None if deadline is None else max(0.0, deadline.ends - time.monotonic())


def is_for_request() -> bool:
    """Returns true if the open deadline is a request's."""
    deadline = _current.get()
    return deadline is not None and not deadline.background


def cap_timeout(seconds: float) -> float:
    """Returns a time limit for a remote call: the given one, or the remaining seconds if fewer."""
    left = remaining()
    return seconds if left is None else min(seconds, left)


def check() -> None:
    """Does nothing while there is time, or if no deadline is open.

    Raises: DeadlineExceeded.
    """
    deadline = _current.get()
    if deadline is not None and time.monotonic() >= deadline.ends:
        raise DeadlineExceeded(deadline.seconds)


def limit_each(parts: Iterable[T], *, seconds: float) -> Iterator[T]:
    """Yields the parts of a streamed response; each must be produced within `seconds`."""
    waiting = iter(parts)
    while True:
        with within(seconds):
            try:
                part = next(waiting)
            except StopIteration:
                return
        yield part
