"""A TCP proxy in front of a server that can be made to hang: connections stay open, and nothing passes any more."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"


@dataclass
class Proxy:
    """A running proxy. `accepted` counts the connections."""

    port: int
    target: tuple[str, int]
    accepted: int = 0
    running: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    def hang(self) -> None:
        """From now on nothing passes; connections are still accepted."""
        self.running.clear()

    def go_on(self) -> None:
        """Everything that was held up passes."""
        self.running.set()

    def cut(self) -> None:
        """Ends every connection that is open, as a restart does; new ones are taken."""
        for pair in self._pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Waits until everything is passed on, and closes what was opened."""
        for thread in self._threads:
            thread.join(5)
        for each in (each for pair in self._pairs for each in pair):
            each.close()

    def _take(self, client: socket.socket) -> None:
        self.accepted += 1
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        self._pairs.append((client, server))
        for one, other in ((client, server), (server, client)):
            self._threads.append(threading.Thread(target=self._pass_on, args=(one, other), daemon=True))
            self._threads[-1].start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.running.wait()
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def in_front_of(host: str, port: int) -> Iterator[Proxy]:
    """The proxy, passing everything on; afterwards nothing of it is left."""
    listener = socket.create_server((LOOPBACK, 0), backlog=64)
    proxy = Proxy(listener.getsockname()[1], (host, port))
    proxy.go_on()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                proxy._take(client)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        proxy.go_on()
        proxy.cut()
        thread.join(5)
        proxy.end()
