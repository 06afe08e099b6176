"""A TCP proxy that delays what passes, and can be told to let nothing pass: a region far away, or cut off."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from config.devservers.ports import LOOPBACK


@dataclass
class DelayingProxy:
    """A running proxy. `cut` drops what is sent, and keeps connections open: what a lost route looks like."""

    port: int
    target: tuple[str, int]
    delay_seconds: float
    cut: threading.Event = field(default_factory=threading.Event)

    def take(self, client: socket.socket) -> None:
        """Serves one connection in threads of its own."""
        try:
            server = socket.create_connection(self.target, timeout=10)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.settimeout(60)
            while data := one.recv(65_536):
                time.sleep(self.delay_seconds)
                if not self.cut.is_set():
                    other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
                each.close()


@contextlib.contextmanager
def in_front_of(port: int, *, delay_seconds: float) -> Iterator[DelayingProxy]:
    """The proxy in front of a port of this machine; afterwards it takes no connections."""
    listener = socket.create_server((LOOPBACK, 0), backlog=64)
    proxy = DelayingProxy(listener.getsockname()[1], (LOOPBACK, port), delay_seconds)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                proxy.take(listener.accept()[0])

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
