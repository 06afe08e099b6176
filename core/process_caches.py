"""What this process remembers between requests and tasks. Whoever keeps something registers how to forget it.

A module does so beside what it keeps, so that nobody else has to know of it:

    @process_caches.register
    def forget() -> None: ...
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

F = TypeVar("F", bound=Callable[[], object])


class _Cached(Protocol):
    def cache_clear(self) -> None: ...


C = TypeVar("C", bound=_Cached)
_registered: list[Callable[[], object]] = []


def register(forget: F) -> F:
    """Has `forget_all` call this; also as a decorator."""
    _registered.append(forget)
    return forget


def clearable(cached: C) -> C:
    """Has `forget_all` empty what `functools.lru_cache` made; also as a decorator, above it."""
    _registered.append(cached.cache_clear)
    return cached


def forget_all() -> None:
    """Makes the process as if it had just started, as far as its memory goes; connections and threads stay."""
    for forget in _registered:
        forget()
