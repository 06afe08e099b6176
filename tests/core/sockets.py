"""Little TCP servers on the loopback address that misbehave in one way each."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"


@dataclass
class Server:
    """A listening server; `accepted` counts its connections."""

    port: int
    accepted: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As a Redis URL."""
        return f"redis://{LOOPBACK}:{self.port}/0"


def closed_port() -> int:
    """A port on which nobody listens: connections are refused at once."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def unreachable() -> Iterator[Server]:
    """Drops every SYN, as a firewall does: its queue of connections is full and nobody empties it."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield Server(listener.getsockname()[1])


@contextlib.contextmanager
def _serving(handle: Callable[[socket.socket], None]) -> Iterator[Server]:
    """A server that treats each connection alike, in a thread of its own."""
    listener = socket.socket()
    listener.bind((LOOPBACK, 0))
    listener.listen(64)
    server = Server(listener.getsockname()[1])
    held: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.accepted.append(time.monotonic())
                held.append(connection)
                handle(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in held:
            connection.close()


def black_hole() -> contextlib.AbstractContextManager[Server]:
    """Accepts and never answers, as a stopped process does."""
    return _serving(lambda connection: None)


def hanging_up() -> contextlib.AbstractContextManager[Server]:
    """Accepts and closes at once, as a server that is being restarted does."""
    return _serving(lambda connection: connection.close())


@contextlib.contextmanager
def refusing(reply: bytes) -> Iterator[Server]:
    """Greets as Redis does and then answers every command with this error."""

    def talk(connection: socket.socket) -> None:
        def answer() -> None:
            greeted = False
            with contextlib.suppress(OSError):
                while received := connection.recv(65536):
                    if not greeted and b"HELLO" in received:
                        connection.sendall(b"%1\r\n+proto\r\n:3\r\n")
                        greeted = True
                    else:
                        connection.sendall(b"-" + reply + b"\r\n")

        threading.Thread(target=answer, daemon=True).start()

    with _serving(talk) as server:
        yield server
