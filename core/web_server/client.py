"""One connection: what has come from it, and what is still to be sent to it. Its socket never blocks."""

import contextlib
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.web_server.framing import Frame


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a client may be: so many seconds for nothing at all, and one more for each so many bytes."""

    seconds: float
    bytes_per_second: float

    def ends(self, since: float, count: int) -> float:
        """Until when so many bytes may take that have been coming or going since then."""
        return since + self.seconds + count / self.bytes_per_second


class ClientTooSlow(TimeoutError):
    """The client sends or takes fewer bytes than it must."""


class Collected:
    """A request that has been read: gunicorn's parser takes it for a socket that its client has closed."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0

    def recv(self, size: int) -> bytes:
        """The next bytes, none behind the last."""
        found = bytes(self._data[self._at : self._at + size])
        self._at += len(found)
        return found


class Streamed:
    """A long body that is handed on as it comes: first what has been read, then from the socket, at the client's pace.

    Raises: ClientTooSlow where that is not kept.
    """

    def __init__(self, data: bytes, sock: socket.socket, pace: Pace) -> None:
        self._first, self._sock, self._pace = Collected(data), sock, pace
        self._waited, self._count = 0.0, 0

    def recv(self, size: int) -> bytes:
        """The next bytes, none when the client has closed the connection."""
        if found := self._first.recv(size):
            return found
        while True:
            try:
                found = self._sock.recv(size)
            except BlockingIOError:
                # Only the time in which the client is waited for counts, not what the service itself takes in between.
                started = time.monotonic()
                _wait(self._sock, select.POLLIN, self._pace.ends(started - self._waited, self._count))
                self._waited += time.monotonic() - started
            else:
                self._count += len(found)
                return found


class Outlet:
    """What a thread writes its answer to: as much as the socket takes goes out, the rest is left for the event loop.

    So no thread waits for a client that does not read, unless an answer that is made as it is sent has got far ahead.
    It has what gunicorn calls on a socket.
    """

    MOST_LEFT = 4 * 1024 * 1024

    def __init__(self, sock: socket.socket, pace: Pace, received_at: float) -> None:
        self.received_at = received_at
        self.left: list[memoryview] = []
        self.count = 0
        self._sock, self._pace = sock, pace

    def sendall(self, data: bytes) -> None:
        """Sends, or leaves it for later.

        Raises: BrokenPipeError where the client has gone or takes nothing.
        """
        self.left.append(memoryview(data))
        self.count += len(data)
        self.flush()
        if self.count > self.MOST_LEFT:
            ends = self._pace.ends(time.monotonic(), self.count)
            while self.count > self.MOST_LEFT:
                try:
                    _wait(self._sock, select.POLLOUT, ends)
                except ClientTooSlow as error:
                    raise BrokenPipeError(32, "the client does not read its answer") from error
                self.flush()

    def flush(self) -> bool:
        """Sends what the socket takes now; whether nothing is left.

        Raises: OSError where the client has gone.
        """
        while self.left:
            try:
                sent = self._sock.send(self.left[0])
            except BlockingIOError:
                return False
            self.count -= sent
            if sent == len(self.left[0]):
                del self.left[0]
            else:
                self.left[0] = self.left[0][sent:]
        return True

    def send(self, data: bytes) -> int:
        """As sendall."""
        self.sendall(data)
        return len(data)

    def gettimeout(self) -> float:
        """It does not block."""
        return 0.0

    def shutdown(self, how: int) -> None:
        """After an answer that broke off: what is missing must be seen to be missing."""
        self.left.clear()
        self.count = 0
        self._sock.shutdown(how)

    def settimeout(self, _seconds: float) -> None:
        """Nothing is waited for here."""

    def recv(self, _size: int) -> bytes:
        """Nothing is read here; the loop closes the connection."""
        return b""

    def close(self) -> None:
        """The loop closes the connection."""


@dataclass(eq=False)
class Client:
    """A connection between its accept and its close. Only the event loop touches it, but for what `sock` does."""

    raw: socket.socket
    client: Any  # the peer's address, as gunicorn calls it
    server: Any
    limits: tuple[int, int, Callable[[bytes], int]]  # as Frame's
    pace: Pace
    buffer: bytearray = field(default_factory=bytearray)
    ends_at: float = 0.0
    began_at: float = 0.0  # when the first byte of the present request came
    body_at: float = 0.0
    watched: bool = False
    in_thread: bool = False
    idle: bool = True
    outlet: Outlet | None = None
    frame: Frame = field(init=False)

    def __post_init__(self) -> None:
        self.raw.settimeout(0.0)
        self.next_request()

    def next_request(self) -> None:
        """Whatever is in the buffer begins a new request."""
        self.frame = Frame(*self.limits)
        self.idle = True

    @property
    def sock(self) -> Outlet:
        """What gunicorn takes for the socket while it answers."""
        assert self.outlet is not None
        return self.outlet

    def take_request(self, end: int) -> bytes:
        """The request's bytes; what is behind them stays for the next."""
        taken = bytes(self.buffer[:end])
        del self.buffer[:end]
        return taken

    def close(self) -> None:
        """Closes the socket; a second time does nothing."""
        with contextlib.suppress(OSError):
            self.raw.close()


def _wait(sock: socket.socket, event: int, ends: float) -> None:
    left = ends - time.monotonic()
    poll = select.poll()
    poll.register(sock, event)
    if left <= 0 or not poll.poll(left * 1000):
        raise ClientTooSlow("the client is slower than it may be")
