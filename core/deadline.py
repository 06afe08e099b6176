"""One deadline for each request: whoever waits for somebody else asks how long it still may.

The edge of the web process opens it (core.http.middleware), core.postgres holds every statement to it, and domain code
that goes through many things in turn calls `check` between them. Tasks of workers open none: they have time limits of
their own. The time is the process's monotonic clock, so nobody needs to pass `now`.
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
    """Seconds on the monotonic clock; the reading of a long body moves `ends` on."""

    ends: float
    seconds: float
    background: bool = False


_current: ContextVar[_Deadline | None] = ContextVar("docent_deadline", default=None)


class DeadlineExceeded(Unavailable):
    """The request has used up its time. Nothing of it is half done."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The request took longer than {seconds:g} seconds and was ended. Nothing is half done; ask for less at "
            "once, or try again."
        )


@contextmanager
def within(seconds: float, *, since: float | None = None, background: bool = False) -> Iterator[None]:
    """Inside, at most so many seconds may pass, counted from `since` (`time.monotonic()`) where that is given.

    An earlier deadline that is open already stays the one that counts. `background` is for threads that serve no
    request: they are as many as the process has made, and are not among those that must take turns (core.postgres).
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
    """What passes inside is not counted: for the reading of a long body, which has a minimum rate of its own."""
    deadline, started = _current.get(), time.monotonic()
    try:
        yield
    finally:
        if deadline is not None:
            deadline.ends += time.monotonic() - started


def remaining() -> float | None:
    """Seconds that are left, 0 where none are; None where no deadline is open."""
    deadline = _current.get()
    return None if deadline is None else max(0.0, deadline.ends - time.monotonic())


def of_request() -> bool:
    """Whether the deadline that is open is that of a request."""
    deadline = _current.get()
    return deadline is not None and not deadline.background


def at_most(seconds: float) -> float:
    """These seconds, or what is left if that is less. For time limits of calls to somebody else."""
    left = remaining()
    return seconds if left is None else min(seconds, left)


def check() -> None:
    """Goes on while there is time, or where no deadline is open.

    Raises: DeadlineExceeded.
    """
    deadline = _current.get()
    if deadline is not None and time.monotonic() >= deadline.ends:
        raise DeadlineExceeded(deadline.seconds)


def each(parts: Iterable[T], *, seconds: float) -> Iterator[T]:
    """The parts of an answer that is sent as it is made: each has so many seconds to be made."""
    waiting = iter(parts)
    while True:
        with within(seconds):
            try:
                part = next(waiting)
            except StopIteration:
                return
        yield part
