"""A real web server over the test run's database and Redis."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from config.devservers.ports import LOOPBACK, free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True)
class WebProcess:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]

    def ask(self, method: str, path: str, *, token: str = "", body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own; an iterable body goes in chunks."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=15)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


def environment(folder: Path, port: int, **more: str) -> dict[str, str]:
    """The server's environment: the servers of this test process, and its signing key."""
    without = {"PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"}
    name = settings.DATABASES["default"]["NAME"]
    return {
        **{key: value for key, value in os.environ.items() if key not in without},
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": f"{settings.DATABASE_URL.rpartition('/')[0]}/{name}",
        "REDIS_URL": settings.REDIS_URL,
        "STORAGE_DIR": settings.STORAGE_DIR,
        "JWT_PRIVATE_KEY": settings.JWT_PRIVATE_KEY,
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "prometheus"),
        "HOST": LOOPBACK,
        "PORT": str(port),
        **more,
    }


@contextlib.contextmanager
def serving(folder: Path, application: str = "config.wsgi:application", **more: str) -> Iterator[WebProcess]:
    """The server, ready, at PORT or a free one; stopped in order afterwards. Its log is in the folder."""
    port = int(more.get("PORT") or free_port())
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", application],
            cwd=ROOT,
            env=environment(folder, port, **more),
            stdout=log,
            stderr=log,
        )
    web = WebProcess(port, process)
    try:
        _wait_until_ready(web, folder / "web.log")
        yield web
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(web: WebProcess, log: Path) -> None:
    deadline = time.monotonic() + 120  # a busy machine starts four processes in half a minute
    while time.monotonic() < deadline:
        assert web.process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            if web.ask("GET", "/readyz").status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"not ready: {log.read_text()}")
