"""Real Celery processes for tests: a worker and beat, on this test process's database and Redis."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from workers.queues import WORKERS

ROOT = Path(__file__).resolve().parents[2]


class CeleryProcess:
    """A `celery` command in a session of its own, so that it can be killed with all its children."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="celery-", suffix=".log", delete=False)  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "workers.celery", *arguments],
            cwd=ROOT,
            env=_environment() | environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        """Output so far."""
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """SIGKILL for it and all its children at once: what a lost machine looks like."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def children(self) -> list[int]:
        """The processes of its pool."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in found.split()]

    def close(self) -> None:
        """Kills it and removes its log."""
        self.kill()
        self._log.close()
        Path(self._log.name).unlink(missing_ok=True)


@contextlib.contextmanager
def worker(**environment: str) -> Iterator[CeleryProcess]:
    """A worker that takes tasks while the context lasts."""
    process = CeleryProcess("worker", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle", **environment)
    try:
        yield process
    finally:
        process.close()


@contextlib.contextmanager
def layout(**environment: str) -> Iterator[dict[str, CeleryProcess]]:
    """The workers of `make demo` and of docker-compose.yml, by name, while the context lasts."""
    quiet = ("-l", "INFO", "--without-gossip", "--without-mingle")
    with contextlib.ExitStack() as stack:
        variables = {"BUILD_NICE": "5", **environment}
        started = {each.name: CeleryProcess("worker", *each.options, *quiet, **variables) for each in WORKERS}
        for process in started.values():
            stack.callback(process.close)
        yield started


@contextlib.contextmanager
def beat(**environment: str) -> Iterator[CeleryProcess]:
    """The scheduler while the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        process = CeleryProcess("beat", "-l", "INFO", "-s", f"{folder}/schedule", "--pidfile=", **environment)
        try:
            yield process
        finally:
            process.close()


def _environment() -> dict[str, str]:
    name = str(settings.DATABASES["default"]["NAME"])
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": f"{settings.DATABASE_URL.rpartition('/')[0]}/{name}",
        "DATABASE_OWNER_URL": f"{settings.DATABASE_OWNER_URL.rpartition('/')[0]}/{name}",
        "REDIS_URL": settings.REDIS_URL,
        "BUILD_LEASE_SECONDS": "2",
        "BUILD_NICE": "0",  # tests keep time, and others may use the machine
        "LOG_LEVEL": "INFO",
    }
