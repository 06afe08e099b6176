"""gunicorn's thread worker, in which no thread ever waits for a client.

The event loop reads each request to its end and sends what a socket does not take at once; threads only answer. Probes
have threads of their own. A body that is longer than what is collected is read by threads that do nothing else.
"""

import contextlib
import errno
import resource
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from django.utils.module_loading import import_string
from gunicorn import http, util

from core.web_server.client import Client, ClientTooSlow, Collected, Outlet, Pace, Streamed
from core.web_server.connections import RECEIVE_BYTES, ConnectionWorker
from core.web_server.framing import Frame, State
from core.web_server.thread_pool import RestingPool

# Bodies that are being collected may take so much memory in one process; a small one always has room.
_MOST_COLLECTED = 64 * 1024 * 1024
_SMALL = 65_536
_FILES = 65_536
Lane = ThreadPoolExecutor | RestingPool


class BufferingWorker(ConnectionWorker):
    """See the module. The limits are Django's settings, read when the application has been loaded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wsgi: Any = None
        self.tpool: Any = None

    def init_process(self) -> None:
        """Prepares the pools; as many files as the host allows may be open."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        super().init_process()

    def get_thread_pool(self) -> RestingPool:
        """The threads that answer requests."""
        return RestingPool(self.cfg.threads)

    def load_wsgi(self) -> None:
        """Loads the application, tells it since when a request has been waiting, and reads the limits."""
        super().load_wsgi()
        from django.conf import settings  # noqa: PLC0415  # known when the application is loaded

        self.most_bytes = import_string("core.http.body_limits.max_bytes")
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
        """Returns the body bytes collected at this path; a longer body is refused, or read by the upload threads."""
        if path in self.long_paths:
            return self.most_collected
        most: int = self.most_bytes(util.unquote_to_wsgi_str(path.decode("latin-1")))
        return min(self.most_collected, most)

    def _take(self, client: Client) -> None:
        """In a thread: takes what has come on an idle connection, and answers at once if that is a whole request. It
        never waits for more, which is the loop's to do.
        """
        client.in_thread, client.resting = True, False
        try:
            self._answer_here(client)
        except Exception:
            self.log.exception("Error on a connection.")
            self._give_back(client, self._drop)

    def _answer_here(self, client: Client) -> None:
        try:
            data = client.raw.recv(RECEIVE_BYTES)
        except BlockingIOError:
            self._rest(client)
            return
        except OSError:
            data = b""
        if not data:
            self._give_back(client, self._drop)
            return
        client.buffer += data
        if client.frame.look(client.buffer) is not State.COMPLETE:
            self._give_back(client, self._look)
            return
        path = client.frame.path(client.buffer)
        if path in self.lanes or path in self.long_paths:
            self._give_back(client, self._look)
            return
        outlet = client.outlet = Outlet(client.raw, time.monotonic())
        keep = self._serve(client, Collected(client.take_request(client.frame.end)))
        if not keep or outlet.count or client.buffer or not self.alive:
            client.ends_at = self.pace.ends(time.monotonic(), outlet.count)
            self._give_back(client, lambda mine: self._send(mine, keep, mine.raw))
            return
        outlet.close()
        client.next_request()
        client.ends_at = time.monotonic() + self.idle_seconds
        self._rest(client)

    def _give_back(self, client: Client, then: Callable[[Client], None]) -> None:
        """In a thread: the loop has the connection from now on, and does this with it."""

        def take_over(_given: Any) -> None:
            client.in_thread = False
            then(client)

        self.method_queue.defer(self._call, client, take_over, None)

    def _receive(self, client: Client, raw: socket.socket) -> None:
        try:
            data = raw.recv(RECEIVE_BYTES)
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

    def _collected(self) -> int:
        return sum(len(client.buffer) for client in self.clients.values())

    def _answer(self, client: Client, end: int) -> None:
        frame, path = client.frame, client.frame.path(client.buffer)
        client.outlet = Outlet(client.raw, time.monotonic())
        data = client.take_request(end)
        source: Collected | Streamed = Collected(data)
        lane: Lane = self.lanes.get(path, self.tpool)
        if path in self.long_paths and frame.state is State.TOO_LONG:
            source, lane = Streamed(data, client.raw, self.pace), self.uploads
        elif path in self.long_paths and (frame.length or frame.chunked):
            lane = self.files
        self._hand_over(client, lane, self._serve, source)

    def _hand_over(self, client: Client, lane: Lane, work: Callable[..., Any], *given: Any) -> None:
        self._watch(client, 0, None)
        client.in_thread = True
        done = partial(self._call, client, partial(self._done, client))
        lane.submit(work, client, *given).add_done_callback(lambda future: self.method_queue.defer(done, future))

    def _done(self, client: Client, future: "Future[bool]") -> None:
        """In the loop: a thread has answered."""
        client.in_thread = False
        if future.cancelled() or future.exception() is not None or client.outlet is None:
            self._drop(client)
            return
        client.ends_at = self.pace.ends(time.monotonic(), client.outlet.count)
        self._send(client, future.result(), client.raw)

    def _serve(self, client: Client, source: Collected | Streamed) -> bool:
        """In a thread: answers one request. Whether the connection stays."""
        request = None
        try:
            request = next(http.get_parser(self.cfg, source, client.client))
            if isinstance(source, Collected):
                request._expected_100_continue = False  # noqa: SLF001  # the loop has seen to it
            if client.frame.state is not State.COMPLETE or not _same_framing(client.frame, request):
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


def _same_framing(frame: Frame, request: Any) -> bool:
    """Returns true if gunicorn's parser found the end of the request at the same place."""
    headers = [(name, value) for name, value in request.headers if name in ("CONTENT-LENGTH", "TRANSFER-ENCODING")]
    if frame.chunked:
        return len(headers) == 1 and headers[0][0] == "TRANSFER-ENCODING"
    wanted = [] if frame.length is None else [("CONTENT-LENGTH", frame.length)]
    return [(name, int(value) if value.isdigit() else value) for name, value in headers] == wanted
