"""The connections of a worker's event loop: accepted, watched, written to, and closed when their time is up."""

import abc
import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.workers import gthread

from core.web_server.client import Client, Pace

_SWEEP_SECONDS = 0.25
# How often the loop looks if all threads are busy: after they were, and otherwise.
_TICK_SECONDS, _IDLE_TICK_SECONDS = 0.05, 0.25
_EVEN_ENOUGH, _MOST_STEPS, _STEP_SECONDS = 100, 10, 0.0002
_LINGER_SECONDS = 2.0
RECEIVE_BYTES = 65_536


class ConnectionWorker(gthread.ThreadWorker, abc.ABC):  # type: ignore[misc]
    """gunicorn's thread worker with connections that never block. Subclasses read requests and answer them."""

    limits: tuple[int, int, Callable[[bytes], int]]
    pace: Pace

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clients: dict[socket.socket, Client] = {}
        self.swept_at = 0.0
        self.idle_seconds = float(self.cfg.keepalive)

    @abc.abstractmethod
    def _take(self, client: Client) -> None:
        """Called in a thread when something has come on an idle connection."""

    @abc.abstractmethod
    def _receive(self, client: Client, raw: socket.socket) -> None:
        """Called in the loop when something has come."""

    @abc.abstractmethod
    def _look(self, client: Client) -> None:
        """Called when the buffer may hold the next request."""

    def _await_bytes(self, client: Client) -> None:
        """Lets an idle connection rest in the threads' pool; one with a part of a request is the loop's."""
        if client.idle and not client.buffer:
            self._watch(client, 0, None)
            self._rest(client)
        elif not client.watched:
            self._watch(client, selectors.EVENT_READ, partial(self._receive, client))

    def _rest(self, client: Client) -> None:
        """Also called in threads. From the last line on another thread may have the connection."""
        is_new, client.has_rested = not client.has_rested, True
        client.resting, client.in_thread = True, False
        self.tpool.rest(client.raw.fileno(), partial(self._take, client), is_new=is_new)

    def _is_claimed(self, client: Client) -> bool:
        """Takes the connection for the loop, unless a thread has it."""
        if client.resting and self.tpool.claim(client.raw.fileno()):
            client.resting = False
        return not (client.resting or client.in_thread)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """As gunicorn; besides, reads in place of threads that are all busy: a probe must not wait for any of them."""
        tick = _TICK_SECONDS if self.tpool.was_busy or self.tpool.is_busy else _IDLE_TICK_SECONDS
        self.tpool.was_busy = False
        super().wait_for_and_dispatch_events(min(timeout, tick))
        if self.tpool.is_busy and (readable := self.tpool.readable()):
            claimed = {client.raw.fileno(): client for client in list(self.clients.values())}
            for descriptor in readable:
                if (client := claimed.get(descriptor)) is not None:
                    client.resting = False
                    self._call(client, partial(self._receive, client), client.raw)

    def accept(self, listener: socket.socket) -> None:
        """Takes a connection; where there are as many as may be, the oldest that has sent no whole request goes."""
        if self.nr_conns >= self.worker_connections - 1:
            self._evict()
        self._let_others_first()
        try:
            raw, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._evict()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        client = Client(raw, address, listener.getsockname(), self.limits, self.pace)
        self.clients[raw] = client
        self.nr_conns += 1
        client.ends_at = time.monotonic() + self.idle_seconds
        self._call(client, lambda _given: self._await_bytes(client), None)

    def _let_others_first(self) -> None:
        """Waits the longer the more connections there are, so that a process with fewer of them takes this one.

        Whoever wakes first would else take all that come together, and one processor would do all the work.
        """
        if self.cfg.workers > 1 and 0 < self.nr_conns < _EVEN_ENOUGH:
            time.sleep(min(self.nr_conns, _MOST_STEPS) * _STEP_SECONDS)

    def _evict(self) -> None:
        for client in sorted(self.clients.values(), key=lambda client: client.ends_at):
            if self._is_claimed(client):
                self._drop(client)
                return

    def _drop(self, client: Client) -> None:
        self._watch(client, 0, None)
        if self.clients.pop(client.raw, None) is not None:
            self.nr_conns -= 1
        client.close()

    def _watch(self, client: Client, event: int, callback: Callable[[Any], None] | None) -> None:
        """From now on the loop calls back when the socket can be read or written; or no longer."""
        with contextlib.suppress(KeyError, ValueError, OSError):
            if client.watched:
                self.poller.unregister(client.raw)
        client.watched = callback is not None
        if callback is not None:
            self.poller.register(client.raw, event, partial(self._call, client, callback))

    def _call(self, client: Client, callback: Callable[[Any], None], given: Any) -> None:
        """An error that nobody foresaw costs this connection, and not the process with all the others."""
        try:
            callback(given)
        except Exception:
            self.log.exception("Error on a connection.")
            self._drop(client)

    def _send(self, client: Client, keep: bool, _raw: socket.socket) -> None:  # a callback
        try:
            done = client.sock.flush()
        except OSError:
            self._drop(client)
            return
        if not done:
            if not client.watched:
                self._watch(client, selectors.EVENT_WRITE, partial(self._send, client, keep))
            return
        self._watch(client, 0, None)
        client.sock.close()
        if not keep:
            self._linger(client)
            return
        client.next_request()
        client.ends_at = time.monotonic() + (self.idle_seconds if self.alive else gthread.STOP_KEEPALIVE_LINGER)
        if client.buffer:
            self._look(client)
        else:
            self._await_bytes(client)

    def _refuse(self, client: Client, status: int, reason: str) -> None:
        with contextlib.suppress(OSError):
            util.write_error(client.raw, status, reason, "")
        self._watch(client, 0, None)
        self._linger(client)

    def _linger(self, client: Client) -> None:
        """Says that nothing more comes, and reads on for a moment: a reset would take the answer back (RFC 9112)."""
        client.idle, client.ends_at = True, time.monotonic() + _LINGER_SECONDS
        client.buffer.clear()
        try:
            client.raw.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(client)
            return
        self._watch(client, selectors.EVENT_READ, partial(self._discard, client))

    def _discard(self, client: Client, raw: socket.socket) -> None:
        try:
            if raw.recv(RECEIVE_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(client)

    def murder_keepalived(self, force: bool = False) -> None:  # gunicorn's signature
        """Ends connections whose time is up: 408 for half a request, nothing for one that has sent none."""
        now = time.monotonic()
        if not force and now - self.swept_at < _SWEEP_SECONDS:
            return
        self.swept_at = now
        if not self.alive:
            self._cap_keepalive(now + gthread.STOP_KEEPALIVE_LINGER)
        for client in [each for each in self.clients.values() if force or each.ends_at <= now]:
            if not self._is_claimed(client):
                continue
            if client.idle or force or (client.outlet and client.outlet.count):
                self._drop(client)
            else:
                self._refuse(client, 408, "Request Timeout")

    def murder_pending(self) -> None:
        """There are none."""

    def _cap_keepalive(self, deadline: float) -> None:
        """The worker stops: connections without a request stay for a moment only."""
        for client in self.clients.values():
            if client.idle and not client.in_thread:
                client.ends_at = min(client.ends_at, deadline)
