"""A Redis server of a test's own, to be killed and frozen."""

import signal
import subprocess
from pathlib import Path

from config.devservers.binaries import find_valkey
from config.devservers.valkey import Valkey


class OwnServer(Valkey):
    """A server that a test may break."""

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """SIGKILL: gone, with all it held."""
        self._running.kill()
        self._running.wait()

    def freeze(self) -> None:
        """SIGSTOP: accepts connections, answers nothing."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """A new, empty server on the old port."""
        self.launch()
        self.wait_ready()


def start(folder: Path) -> OwnServer:
    """A server that runs, with its data in the folder. Give it to `end`."""
    server = OwnServer(
        program=find_valkey(), data=folder / "valkey", log=folder / "log", password="secret", durable=False
    )
    server.launch()
    server.wait_ready()
    return server


def end(server: OwnServer) -> None:
    """Stops it, frozen or not."""
    if server.alive:
        server.thaw()
    server.stop()
