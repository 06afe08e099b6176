"""Registry of the caches of this process. A module registers each cache with the function that clears it.

It does so beside the cache, so that no other module needs to know of it:

    @process_caches.register
    def clear() -> None: ...
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

F = TypeVar("F", bound=Callable[[], object])


class _Cached(Protocol):
    def cache_clear(self) -> None: ...


C = TypeVar("C", bound=_Cached)
_registered: list[Callable[[], object]] = []


def register(forget: F) -> F:
    """Registers a function for `clear_all`; also as a decorator."""
    _registered.append(forget)
    return forget


def clearable(cached: C) -> C:
    """Registers a `functools.lru_cache` for `clear_all`; also as a decorator, above it."""
    _registered.append(cached.cache_clear)
    return cached


def clear_all() -> None:
    """Clears every registered cache, as if the process had just started; connections and threads stay."""
    for forget in _registered:
        forget()
