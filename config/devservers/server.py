"""Base class of PostgreSQL and Valkey: a port that may be lost, a log, a time limit to get ready, a stop."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from config.devservers import processes
from config.devservers.errors import DevServerError
from config.devservers.ports import free_port

_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.02
_LOST_PORTS = 5


class StartFailed(DevServerError):
    """A server ended while it started, or did not answer in time."""


class Server(ABC):
    """One server process. `launch` returns at once, so that several get ready side by side."""

    name: ClassVar[str]
    asks_to_stop: ClassVar[signal.Signals]
    says_port_taken: ClassVar[str]

    def __init__(self, *, data: Path, log: Path) -> None:
        self.data = data.resolve()
        self.log = log
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @abstractmethod
    def prepare(self) -> None:
        """Make or repair the data folder, before the process starts."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """The command line, for `port`. It holds no secret: everybody on the machine can read it."""

    @abstractmethod
    def answers(self) -> bool:
        """Returns true if our server accepts our password now."""

    def launch(self) -> None:
        """Start the process: on the port it had before, else on a free one."""
        self.prepare()
        self.port = self.port or free_port()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._process = processes.spawn(self.command(), dies_with_us=self.asks_to_stop, log=self.log)

    def wait_ready(self) -> None:
        """Return when the server answers. A port that was lost in a race is replaced.

        Raises: StartFailed with the end of the server's log.
        """
        deadline = time.monotonic() + _READY_SECONDS
        lost_ports = 0
        while not self.answers():
            if not self.alive:
                lost_ports += 1
                if lost_ports > _LOST_PORTS or self.says_port_taken not in self._said():
                    raise StartFailed(f"{self.name} ended while it started:\n{processes.tail(self.log)}")
                self.port = 0
                self.launch()
            elif time.monotonic() > deadline:
                raise StartFailed(f"{self.name} gives no answer:\n{processes.tail(self.log)}")
            time.sleep(_POLL_SECONDS)

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the server in order, within 15 seconds; then by force."""
        if self._process is not None:
            processes.stop(self._process, with_signal=self.asks_to_stop, patience=_STOP_SECONDS)
            self._process = None

    def _said(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")
