"""Redis-compatible servers and Sentinels of a test's own."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis as redis_py

from config.devservers.binaries import find_valkey
from config.devservers.ports import LOOPBACK, free_port
from core.redis import RedisUnavailable


@contextlib.contextmanager
def server(
    folder: Path, *lines: str, sentinel: bool = False, program: str | Path | None = None, **ping: Any
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server of its own on a free port, ready. `ping` holds what a client needs besides the port; with `ssl` the port
    is a TLS port."""
    port = free_port()
    folder.mkdir()
    configuration = folder / "server.conf"
    ports = [f"tls-port {port}", "port 0"] if ping.get("ssl") else [f"port {port}"]
    configuration.write_text("\n".join([*ports, f"bind {LOOPBACK}", f"dir {folder}", 'save ""', *lines]) + "\n")
    process = subprocess.Popen(
        [program or find_valkey(), configuration, *(["--sentinel"] if sentinel else [])], stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: redis_py.Redis(host=LOOPBACK, port=port, **ping).ping())
        yield port, process
    finally:
        process.kill()
        process.wait()


def wait_until(probe, seconds: float = 15.0) -> float:
    """Waits until the probe is true; returns after how many seconds it was."""
    started = time.monotonic()
    while True:
        with contextlib.suppress(redis_py.RedisError, RedisUnavailable, OSError):
            if probe():
                return time.monotonic() - started
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.05)
