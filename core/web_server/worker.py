"""gunicorn's thread worker, in which no thread ever waits for a client.

The event loop reads each request to its end and sends what a socket does not take at once; threads only answer. Probes
have threads of their own. A body that is longer than what is collected is read by threads that do nothing else.
"""

import contextlib
import errno
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from functools import partial
from typing import Any

from django.utils.module_loading import import_string
from gunicorn import http, util
from gunicorn.workers import gthread

from core.web_server.client import Client, ClientTooSlow, Collected, Outlet, Pace, Streamed
from core.web_server.framing import Frame, State

_SWEEP_SECONDS = 0.25
_LINGER_SECONDS = 2.0
_RECEIVE = 65_536
# Bodies that are being collected may take so much memory in one process; a small one always has room.
_MOST_COLLECTED = 64 * 1024 * 1024
_SMALL = 65_536
_FILES = 65_536


class Read(Enum):
    """What a thread found that looked for a request."""

    NOTHING = "nothing has come yet"
    PART = "something that is not a whole request for this thread"
    END = "the client has closed the connection"


class BufferingWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """See the module. The limits are Django's settings, read when the application has been loaded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wsgi: Any = None
        self.tpool: Any = None
        self.clients: dict[socket.socket, Client] = {}
        self.swept_at = 0.0
        self.busy = 0  # of the threads that answer requests
        self.idle_seconds = float(self.cfg.keepalive)

    def init_process(self) -> None:
        """Prepares the pools; as many files as the host allows may be open."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        super().init_process()

    def load_wsgi(self) -> None:
        """Loads the application, tells it since when a request has been waiting, and reads the limits."""
        super().load_wsgi()
        from django.conf import settings  # noqa: PLC0415  # known when the application is loaded

        self.most_bytes = import_string("core.http.body_limits.most_bytes")
        self.most_collected = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

        self.pace = Pace(settings.REQUEST_READ_SECONDS, settings.REQUEST_BYTES_PER_SECOND)
        most_head = self.cfg.limit_request_fields * (self.cfg.limit_request_field_size + 2)
        self.limits = (self.cfg.limit_request_line, most_head, self._most_body)
        self.long_paths = frozenset(path.encode() for path in settings.LARGE_BODIES)
        first, *others = [path.encode() for path in settings.PROBE_PATHS]
        # Liveness asks nobody and waits for nobody; the other probes may take a second each.
        self.lanes = {first: ThreadPoolExecutor(1, "liveness")}
        self.lanes |= dict.fromkeys(others, ThreadPoolExecutor(2, "probes"))
        self.uploads = ThreadPoolExecutor(settings.UPLOAD_THREADS, "uploads")
        # Files that have come already wait for the storage only, and not behind those that still come.
        self.files = ThreadPoolExecutor(settings.UPLOAD_THREADS, "files")
        application: Any = self.wsgi

        def timed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            environ["docent.received_at"] = environ["gunicorn.socket"].received_at
            return application(environ, start_response)  # type: ignore[no-any-return]

        self.wsgi = timed

    def _most_body(self, path: bytes) -> int:
        """How much of a body is collected at this path; a longer one is refused, or read by the threads for uploads."""
        if path in self.long_paths:
            return self.most_collected
        most: int = self.most_bytes(util.unquote_to_wsgi_str(path.decode("latin-1")))
        return min(self.most_collected, most)

    # --- Connections come and go ---------------------------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        """Takes a connection; where there are as many as may be, the oldest that has sent no whole request goes."""
        if self.nr_conns >= self.worker_connections - 1:
            self._evict()
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
        self._call(client, partial(self._begin, client), raw)

    def _evict(self) -> None:
        waiting = [client for client in self.clients.values() if not client.in_thread]
        if waiting:
            self._drop(min(waiting, key=lambda client: client.ends_at))

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

    # --- A request comes in --------------------------------------------------------------------------------

    def _begin(self, client: Client, raw: socket.socket) -> None:
        """Something comes on an idle connection. Where a thread is free it takes what is there, and answers at once if
        that is a whole request: the loop, through which everything goes, has less to do. It never waits for more.
        """
        if client.buffer or self.busy >= self.cfg.threads:
            self._receive(client, raw)
        else:
            self._hand_over(client, self.tpool, self._take)

    def _take(self, client: Client) -> "bool | Read":
        """In a thread: as above."""
        try:
            data = client.raw.recv(_RECEIVE)
        except BlockingIOError:
            return Read.NOTHING
        if not data:
            return Read.END
        client.buffer += data
        if client.frame.look(client.buffer) is not State.COMPLETE:
            return Read.PART
        path = client.frame.path(client.buffer)
        if path in self.lanes or path in self.long_paths:
            return Read.PART
        client.outlet = Outlet(client.raw, time.monotonic())
        return self._serve(client, Collected(client.take_request(client.frame.end)))

    def _receive(self, client: Client, raw: socket.socket) -> None:
        try:
            data = raw.recv(_RECEIVE)
        except BlockingIOError:
            self._await_bytes(client)
            return
        except OSError:
            self._drop(client)
            return
        if data:
            client.buffer += data
            self._look(client)
        elif client.frame.state is State.BODY:
            self._answer(client, len(client.buffer))  # the body ended early, which the application says
        else:
            self._drop(client)

    def _look(self, client: Client) -> None:
        """Hands the request over if it is complete, else waits for more of it."""
        now = time.monotonic()
        if client.idle:
            client.idle, client.began_at, client.body_at = False, now, 0.0
        state = client.frame.look(client.buffer)
        if state is State.COMPLETE:
            self._answer(client, client.frame.end)
        elif state in (State.TOO_LONG, State.ODD):
            self._answer(client, len(client.buffer))
        elif state is State.BODY and len(client.buffer) > _SMALL and self._collected() > _MOST_COLLECTED:
            self._refuse(client, 503, "Service Unavailable")
        else:
            if state is State.BODY and not client.body_at:
                client.body_at = now
                if client.frame.expects_continue:
                    with contextlib.suppress(OSError):
                        client.raw.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            count = len(client.buffer) - client.frame.head_end if client.body_at else 0
            client.ends_at = self.pace.ends(client.body_at or client.began_at, count)
            self._await_bytes(client)

    def _await_bytes(self, client: Client) -> None:
        if not client.watched:
            self._watch(client, selectors.EVENT_READ, partial(self._begin, client))

    def _collected(self) -> int:
        return sum(len(client.buffer) for client in self.clients.values())

    def _answer(self, client: Client, end: int) -> None:
        frame, path = client.frame, client.frame.path(client.buffer)
        client.outlet = Outlet(client.raw, time.monotonic())
        data = client.take_request(end)
        source: Collected | Streamed = Collected(data)
        lane = self.lanes.get(path, self.tpool)
        if path in self.long_paths and frame.state is State.TOO_LONG:
            source, lane = Streamed(data, client.raw, self.pace), self.uploads
        elif path in self.long_paths and (frame.length or frame.chunked):
            lane = self.files
        self._hand_over(client, lane, self._serve, source)

    def _hand_over(self, client: Client, lane: ThreadPoolExecutor, work: Callable[..., Any], *given: Any) -> None:
        self._watch(client, 0, None)
        client.in_thread, client.general = True, lane is self.tpool
        self.busy += client.general
        done = partial(self._call, client, partial(self._done, client))
        lane.submit(work, client, *given).add_done_callback(lambda future: self.method_queue.defer(done, future))

    def _done(self, client: Client, future: "Future[bool | Read]") -> None:
        """In the loop: a thread has answered, or has taken what had come."""
        client.in_thread = False
        self.busy -= client.general
        failed = future.cancelled() or future.exception() is not None
        result = False if failed else future.result()
        if isinstance(result, bool) and client.outlet is not None:
            client.ends_at = self.pace.ends(time.monotonic(), client.outlet.count)
            self._send(client, result, client.raw)
        elif result is Read.PART:
            self._look(client)
        elif result is Read.NOTHING:
            self._await_bytes(client)
        else:
            self._drop(client)

    def _serve(self, client: Client, source: Collected | Streamed) -> bool:
        """In a thread: answers one request. Whether the connection stays."""
        request = None
        try:
            request = next(http.get_parser(self.cfg, source, client.client))
            if isinstance(source, Collected):
                request._expected_100_continue = False  # noqa: SLF001  # the loop has seen to it
            if client.frame.state is not State.COMPLETE or not _agree(client.frame, request):
                request.force_close()  # where the next request begins is not known
            keep = bool(self.handle_request(request, client))
            client.sock.flush()
            return keep
        except (http.errors.NoMoreData, StopIteration, ClientTooSlow) as error:
            self.log.debug("Closing connection: %s", error)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                self.log.exception("Socket error processing request.")
        except Exception as error:  # noqa: BLE001  # gunicorn's own answer to what it could not parse, or to a bug
            self.handle_error(request, client.sock, client.client, error)
        return False

    # --- Its answer goes out -------------------------------------------------------------------------------

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
            if raw.recv(_RECEIVE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(client)

    # --- Time passes (called by gunicorn's loop) -----------------------------------------------------------

    def murder_keepalived(self, force: bool = False) -> None:  # gunicorn's signature
        """Ends connections whose time is up: 408 for half a request, nothing for one that has sent none."""
        now = time.monotonic()
        if not force and now - self.swept_at < _SWEEP_SECONDS:
            return
        self.swept_at = now
        for client in [each for each in self.clients.values() if not each.in_thread and (force or each.ends_at <= now)]:
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


def _agree(frame: Frame, request: Any) -> bool:
    """Whether gunicorn's parser found the end of the request where we did."""
    headers = [(name, value) for name, value in request.headers if name in ("CONTENT-LENGTH", "TRANSFER-ENCODING")]
    if frame.chunked:
        return len(headers) == 1 and headers[0][0] == "TRANSFER-ENCODING"
    wanted = [] if frame.length is None else [("CONTENT-LENGTH", frame.length)]
    return [(name, int(value) if value.isdigit() else value) for name, value in headers] == wanted
