"""One connection: what has come from it, and what is still to be sent to it. Its socket never blocks."""

import contextlib
import select
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from core.web_server.framing import Frame


@dataclass(frozen=True, slots=True)
class Pace:
    """The minimum pace of a client: seconds for nothing at all, and one more for each `bytes_per_second` bytes."""

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
    """The writing end of a response: sends as much as the socket takes, and leaves the rest to the event loop.

    So no thread waits for a client that does not read. What is more than MOST_LEFT, as of a long answer that is made as
    it is sent, lies in a file without a name. It has what gunicorn calls on a socket.
    """

    TOGETHER = 32 * 1024  # head and body go out in one piece: each piece is a call that lets go of Python's lock
    MOST_LEFT = 4 * 1024 * 1024
    _PIECE = 256 * 1024

    def __init__(self, sock: socket.socket, received_at: float) -> None:
        self.received_at = received_at
        self.count = 0  # bytes that are left
        self._left: list[bytes | memoryview] = []
        self._sock = sock
        self._file: IO[bytes] | None = None
        self._read_to = self._written_to = 0

    def sendall(self, data: bytes) -> None:
        """Sends, or leaves it for later.

        Raises: OSError where the client has gone.
        """
        if self._file is not None or self.count + len(data) > self.MOST_LEFT:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115  # close() does
            self._file.seek(self._written_to)
            self._written_to += self._file.write(data)
        else:
            self._left.append(data)
        self.count += len(data)
        if self.count > self.TOGETHER:
            self.flush()

    def flush(self) -> bool:
        """Sends what the socket takes now; whether nothing is left.

        Raises: OSError where the client has gone.
        """
        while self.count:
            together = self._next()
            try:
                sent = self._sock.send(together)
            except BlockingIOError:
                sent = 0
            self.count -= sent
            self._left = [memoryview(together)[sent:]] if sent < len(together) else []
            if not sent:
                return False
        return True

    def _next(self) -> bytes | memoryview:
        if not self._left and self._file is not None:
            self._file.seek(self._read_to)
            self._left = [self._file.read(self._PIECE)]
            self._read_to += len(self._left[0])
        return self._left[0] if len(self._left) == 1 else b"".join(self._left)

    def send(self, data: bytes) -> int:
        """As sendall."""
        self.sendall(data)
        return len(data)

    def gettimeout(self) -> float:
        """It does not block."""
        return 0.0

    def shutdown(self, how: int) -> None:
        """After an answer that broke off: what is missing must be seen to be missing."""
        self._left, self.count = [], 0
        self._sock.shutdown(how)

    def settimeout(self, _seconds: float) -> None:
        """Nothing is waited for here."""

    def recv(self, _size: int) -> bytes:
        """Nothing is read here; the loop closes the connection."""
        return b""

    def close(self) -> None:
        """Lets go of the file; the loop closes the connection."""
        if self._file is not None:
            self._file.close()


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
    resting: bool = False  # in the pool, where a thread takes it when something comes
    has_rested: bool = False
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
        """The object that gunicorn uses as the socket while it answers."""
        assert self.outlet is not None
        return self.outlet

    def take_request(self, end: int) -> bytes:
        """The request's bytes; what is behind them stays for the next."""
        taken = bytes(self.buffer[:end])
        del self.buffer[:end]
        return taken

    def close(self) -> None:
        """Closes the socket; a second time does nothing."""
        if self.outlet is not None:
            self.outlet.close()
        with contextlib.suppress(OSError):
            self.raw.close()


def _wait(sock: socket.socket, event: int, ends: float) -> None:
    left = ends - time.monotonic()
    poll = select.poll()
    poll.register(sock, event)
    if left <= 0 or not poll.poll(left * 1000):
        raise ClientTooSlow("the client is slower than it may be")
