"""Reads the next chunk while the database stores this one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def read_ahead(values: Iterator[T]) -> Iterator[Iterator[T]]:
    """Yields the values in order, of which a thread makes one ahead: no more than two are in memory.

    The thread has ended when the context does. Errors are raised where their value would have come.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:

        def ordered() -> Iterator[T]:
            following = reader.submit(next, values, None)
            while (value := following.result()) is not None:
                following = reader.submit(next, values, None)
                yield value

        yield ordered()
