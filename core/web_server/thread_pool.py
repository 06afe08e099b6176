"""Threads that wait for idle connections themselves, and for work that the event loop has for them.

All of them wait in one epoll: the thread that the kernel wakes takes what has come on the connection, answers, and
puts the connection back. So a usual request passes through no queue and wakes no other thread. A connection belongs to
whoever takes it out of `_resting`: a thread that saw bytes, or the event loop, which ends it or takes over while all
threads are busy.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_READABLE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT
Taker = Callable[[], None]


class RestingPool:
    """As much of an executor as gunicorn asks for, with connections to rest in."""

    def __init__(self, threads: int) -> None:
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._resting: dict[int, Taker] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._free: set[int] = set()
        self.was_busy = False  # all threads at once; whoever reads it sets it back
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"requests-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_busy(self) -> bool:
        """Tell if no thread waits for anything."""
        return not self._free

    def submit(self, work: Callable[..., Any], /, *given: Any) -> "Future[Any]":
        """Runs the work in one of the threads."""
        future: Future[Any] = Future()

        def job() -> None:
            try:
                result = work(*given)
            except BaseException as error:  # noqa: BLE001  # as concurrent.futures has it
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.append(job)
        os.eventfd_write(self._wake, 1)
        return future

    def rest(self, descriptor: int, taker: Taker, *, is_new: bool) -> None:
        """Calls `taker` once, in a thread, as soon as something comes; `is_new` says that it never rested before."""
        self._resting[descriptor] = taker
        if is_new:
            self._epoll.register(descriptor, _READABLE)
        else:
            self._epoll.modify(descriptor, _READABLE)

    def claim(self, descriptor: int) -> bool:
        """Takes a connection out, so that no thread will; false if a thread was faster."""
        return self._resting.pop(descriptor, None) is not None

    def readable(self) -> list[int]:
        """Claims the connections on which something has come and no thread has looked yet."""
        events = self._epoll.poll(0)
        return [descriptor for descriptor, _ in events if descriptor != self._wake and self.claim(descriptor)]

    def shutdown(self, wait: bool = True) -> None:
        """Ends each thread after what it does now."""
        self._stopped = True
        os.eventfd_write(self._wake, len(self._threads))
        if wait:
            for thread in self._threads:
                thread.join()

    def _run(self, number: int) -> None:
        while not self._stopped:
            self._free.add(number)
            events = self._epoll.poll(maxevents=1)
            self._free.discard(number)
            if not self._free:
                self.was_busy = True
            for descriptor, _ in events:
                if descriptor == self._wake:
                    self._run_job()
                elif (taker := self._resting.pop(descriptor, None)) is not None:
                    taker()

    def _run_job(self) -> None:
        try:
            os.eventfd_read(self._wake)
            job = self._jobs.popleft()
        except (BlockingIOError, IndexError):  # another thread was faster
            return
        job()
