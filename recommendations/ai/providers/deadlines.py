"""Runs coroutines from ordinary threads under a total deadline.

Timeouts of blocking sockets are per read: a server that sends one byte a second never trips them. A task on an
event loop can be cancelled at any await, while resolving, connecting, in the headers or in the body, so the
deadline is one of the whole call.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 0.2
"""How long the caller waits beyond the deadline for a busy loop to deliver the cancellation."""


class EventLoopThread:
    """One daemon thread with one event loop; any number of threads may hand it work."""

    def __init__(self, *, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], *, deadline_seconds: float) -> T:
        """Return the coroutine's result, or cancel it when the time is up.

        Raises:
            TimeoutError: it did not end in time.
        """
        future = asyncio.run_coroutine_threadsafe(_bounded(coroutine, deadline_seconds), self._loop)
        try:
            return future.result(timeout=deadline_seconds + GRACE_SECONDS)
        except concurrent.futures.CancelledError as error:  # the loop was closed under the call
            raise TimeoutError from error
        finally:
            # Also when the caller's thread is interrupted (a soft time limit): nothing is left running.
            future.cancel()

    def close(self, farewell: Coroutine[Any, Any, None] | None = None) -> None:
        """Stop the loop after ``farewell``; calls under way end with a timeout."""
        if farewell is not None:
            asyncio.run_coroutine_threadsafe(farewell, self._loop).result(timeout=1)
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(timeout=1)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=1)
        self._loop.close()


async def _bounded(coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await coroutine


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
