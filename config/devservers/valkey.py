"""Valkey (or Redis): reachable only through 127.0.0.1 and only with a password, never evicting."""

import signal
import socket
from pathlib import Path

from config.devservers.ports import LOOPBACK
from config.devservers.private_files import write_private
from config.devservers.server import Server

_ANSWER_SECONDS = 1.0


class Valkey(Server):
    """The Redis-compatible server; with `durable` its writes are kept in an append-only file."""

    name = "Valkey"
    asks_to_stop = signal.SIGTERM
    says_port_taken = "Address already in use"

    def __init__(self, *, program: Path, data: Path, log: Path, password: str, durable: bool) -> None:
        super().__init__(data=data, log=log)
        self._program = program
        self._password = password
        self._durable = durable

    def prepare(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)

    def command(self) -> list[str | Path]:
        # The password goes through a file: a command line is public.
        configuration = self.data / "valkey.conf"
        write_private(configuration, self._configuration())
        return [self._program, configuration]

    def answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=_ANSWER_SECONDS) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                return _received(connection, size=len(b"+OK\r\n+PONG\r\n")) == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False

    def url(self) -> str:
        """The URL with the password in it."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def _configuration(self) -> str:
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            "protected-mode yes",
            f"requirepass {self._password}",
            f'dir "{self.data}"',
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if self._durable else 'no'}",
            "appendfsync everysec",
            # Limits, revocations and breakers live here as well as lists: none of them may be evicted.
            "maxmemory-policy noeviction",
        ]
        return "\n".join(lines) + "\n"


def _received(connection: socket.socket, *, size: int) -> bytes:
    answer = b""
    while len(answer) < size:
        piece = connection.recv(size - len(answer))
        if not piece:
            break
        answer += piece
    return answer
