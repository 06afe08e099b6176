"""Runs coroutines from ordinary threads under a total deadline.

Timeouts of blocking sockets are per read: a server that sends one byte a second never trips them. A task on an event
loop can be cancelled at any await, so its deadline covers the whole call: resolving, connecting, headers and body.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 0.2
"""Time beyond the deadline in which a busy loop may deliver the cancellation."""


class EventLoopThread:
    """One daemon thread with one event loop, shared by any number of threads.

    anyio's blocking portal does the same, but hangs when a forked child drops it, and its `close` waits without limit.
    """

    def __init__(self, *, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Awaitable[T], *, deadline_seconds: float) -> T:
        """Return the call's result, or cancel it at the deadline.

        Raises:
            TimeoutError: it did not end in time.
        """
        future = asyncio.run_coroutine_threadsafe(_bounded(call, deadline_seconds), self._loop)
        try:
            return future.result(timeout=deadline_seconds + GRACE_SECONDS)
        except concurrent.futures.CancelledError as error:  # the loop was closed under the call
            raise TimeoutError from error
        finally:
            # A soft time limit may interrupt the waiting thread: nothing is left running then either.
            future.cancel()

    def close(self, farewell: Coroutine[Any, Any, None] | None = None) -> None:
        """Run `farewell` and stop the loop; calls in progress end with a timeout."""
        if farewell is not None:
            asyncio.run_coroutine_threadsafe(farewell, self._loop).result(timeout=1)
        asyncio.run_coroutine_threadsafe(_cancel_other_tasks(), self._loop).result(timeout=1)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=1)
        self._loop.close()


async def _bounded(call: Awaitable[T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await call


async def _cancel_other_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
