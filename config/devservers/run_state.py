"""State of a checkout's servers: `var/lock` is held while they run, `var/run.json` holds their addresses."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from config.devservers.errors import DevServerError
from config.devservers.private_files import write_private

_LOCK, _RUN = "lock", "run.json"
_CONTESTED_SECONDS = 0.5


class AlreadyRunning(DevServerError):
    """Another process holds this checkout's `var/`."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Process and addresses of a checkout's servers. A URL is empty if that server was not started here."""

    pid: int
    var: str
    started_at: str
    database_url: str = ""
    database_owner_url: str = ""
    redis_url: str = ""
    web_url: str = ""


def find_running(var: Path) -> Running | None:
    """Returns the state of the servers that run from this `var/` now, or None.

    A file that a killed process left, or that came along with a copied checkout, does not count: its process must
    still hold the lock, and it must have been written for this very folder.
    """
    try:
        known = Running(**json.loads((var / _RUN).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    if known.var != str(var.resolve()) or not _is_held(var):
        return None
    return known


class FolderLock:
    """An exclusive lock on one `var/`, held until the process or the context ends."""

    def __init__(self, *, var: Path, lock: IO[str]) -> None:
        self._var = var
        self._lock = lock
        self._facts: dict[str, int | str] = {
            "pid": os.getpid(),
            "var": str(var.resolve()),
            "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    @classmethod
    @contextlib.contextmanager
    def on(cls, var: Path) -> Iterator[Self]:
        """Locks the folder while the context lasts.

        Raises: AlreadyRunning when another process holds it.
        """
        var.mkdir(parents=True, exist_ok=True)
        with (var / _LOCK).open("a+", encoding="utf-8") as lock:
            if not _lock_exclusively(lock):
                raise AlreadyRunning(_who_runs(var))
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield cls(var=var, lock=lock)
            finally:
                (var / _RUN).unlink(missing_ok=True)

    def publish(self, **urls: str) -> None:
        """Write `var/run.json`, with these URLs beside those known before (fields of `Running`)."""
        self._facts |= urls
        write_private(self._var / _RUN, json.dumps(self._facts, indent=2) + "\n")


def is_abandoned(var: Path) -> bool:
    """Returns true if the folder was locked once and no process holds the lock now."""
    return (var / _LOCK).exists() and not _is_held(var)


def _is_held(var: Path) -> bool:
    try:
        with (var / _LOCK).open(encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_exclusively(lock: IO[str]) -> bool:
    """Try for half a second: `_is_held` takes the lock too, for an instant."""
    deadline = time.monotonic() + _CONTESTED_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _who_runs(var: Path) -> str:
    running = find_running(var)
    pid = running.pid if running else (var / _LOCK).read_text(encoding="utf-8").strip() or "unknown"
    where = f" at {running.web_url}" if running and running.web_url else ""
    return f"Docent is already running from this checkout{where} (pid {pid}, see {var / _RUN}). Stop it first."
