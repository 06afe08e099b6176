"""A stage for hostile loads: while one is on, somebody probes, somebody else reads, and a third writes.

Each load is a context manager over the stage. Each names the guard that it is about as variables that switch it off:
with those the same load must break what is asked for, or the drill proves nothing.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
from django.conf import settings

from accounts.models import Plan
from accounts.models.tenant import UNLIMITED
from accounts.tenancy import scope
from config.devservers.ports import LOOPBACK
from recommendations.models import Interaction
from tests.core.web_process import WebProcess
from tests.drills.load import hostile_requests
from tests.recommendations.lists import publish

PEOPLE = [f"p{number:02}" for number in range(20)]
ITEMS = [f"i{number:03}" for number in range(40)]
PROBES_A_SECOND, READS_A_SECOND = 5, 20
WRITERS = 16  # more than all threads together: PostgreSQL that hangs can hold every one of them
GAVE_UP_SECONDS = 15.0


@dataclass
class Seen:
    """Observations of the probes, the reader and the writers. Seconds count from when a request was due."""

    probes: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def p95(self) -> float:
        """Of the reads, in milliseconds."""
        return sorted(self.reads)[int(len(self.reads) * 0.95)] * 1000

    def __str__(self) -> str:
        return (
            f"{len(self.probes)} probes, the slowest {max(self.probes):.2f} s; {len(self.reads)} reads, p95"
            f" {self.p95:.0f} ms; {len(self.writes)} writes, the slowest {max(self.writes, default=0):.1f} s;"
            f" {dict(sorted(self.statuses.items()))}"
        )


@dataclass
class Stage:
    """A web server, the tenants on it, and what a load needs to attack them."""

    web: WebProcess
    cast: SimpleNamespace

    def watch(self, seconds: float) -> Seen:
        """Probes and reads at a steady rate and writes all the time, for so long."""
        seen, ends = Seen(), time.monotonic() + seconds
        # Each kind has threads of its own here, so that one that hangs does not make another look slow.
        with (
            ThreadPoolExecutor(WRITERS) as writers,
            ThreadPoolExecutor(65) as readers,
            ThreadPoolExecutor(17) as probes,
        ):
            started = [writers.submit(self._write_on, number, ends, seen) for number in range(WRITERS)]
            started.append(probes.submit(self._steadily, PROBES_A_SECOND, ends, probes, self._probe, seen))
            started.append(readers.submit(self._steadily, READS_A_SECOND, ends, readers, self._read, seen))
            for each in started:
                each.result()
        return seen

    def memory(self) -> int:
        """Resident bytes of the server's processes."""
        return sum(_resident(pid) for pid in _children(self.web.process.pid))

    def lost(self, seen: Seen) -> set[str]:
        """Events that were accepted and are not stored."""
        with scope.tenant(self.cast.acme.tenant.pk):
            people = set(Interaction.objects.values_list("end_user__user_id", flat=True))
        return set(seen.accepted) - people

    def _steadily(
        self, rate: float, ends: float, pool: ThreadPoolExecutor, ask: Callable[[float, Seen], None], seen: Seen
    ) -> None:
        due = time.monotonic()
        while due < ends:
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(ask, due, seen)
            due += 1 / rate

    def _probe(self, due: float, seen: Seen) -> None:
        self._ask("probe", seen, seen.probes, due, "GET", "/healthz")

    def _read(self, due: float, seen: Seen) -> None:
        path = f"/api/v1/users/{PEOPLE[len(seen.reads) % len(PEOPLE)]}/recommendations"
        self._ask("read", seen, seen.reads, due, "GET", path, token=self.cast.globex.reader.token)

    def _write_on(self, number: int, ends: float, seen: Seen) -> None:
        turn = 0
        while (now := time.monotonic()) < ends:
            turn += 1
            user_id = f"w{number}-{int(now * 1000)}"
            body = json.dumps({"user_id": user_id, "item_id": "i001", "type": "view"})
            token = self.cast.acme.admin.token
            status = self._ask("write", seen, seen.writes, now, "POST", "/api/v1/events", token=token, body=body)
            if status in (200, 201):
                with seen.lock:
                    seen.accepted.append(user_id)
            time.sleep(1.0)

    def _ask(
        self, kind: str, seen: Seen, took: list[float], due: float, method: str, path: str, *,
        token: str = "", body: str | None = None,
    ) -> int:  # fmt: skip
        headers = {"Content-Type": "application/json"} if body else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = HTTPConnection(LOOPBACK, self.web.port, timeout=GAVE_UP_SECONDS)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, HTTPException):
            status = 0
        finally:
            connection.close()
        with seen.lock:
            took.append(time.monotonic() - due)
            seen.statuses[kind, status] += 1
        return status


def prepare(cast: SimpleNamespace) -> None:
    """Both tenants without limits, and lists for globex's people."""
    with scope.all_tenants("drill: plans"):
        plan = Plan.objects.create(name="Drill", **UNLIMITED)
        for member in (cast.acme, cast.globex):
            member.tenant.plan = plan
            member.tenant.save(update_fields=["plan"])
            publish(member.tenant, people=dict.fromkeys(PEOPLE, ITEMS), items=ITEMS, popular=ITEMS[::-1])


# --- Loads -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hostile:
    """A load, and the variables with which its guard is off."""

    load: Callable[[Stage], contextlib.AbstractContextManager[None]]
    guard_off: Mapping[str, str]


@contextlib.contextmanager
def slow_sockets(stage: Stage, count: int = 20) -> Iterator[None]:
    """Requests without credentials of which a byte comes every half second; who is given up comes again."""
    stop = threading.Event()
    head = f"POST /api/v1/auth/token HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Length: 4000\r\n".encode()

    def drip(number: int) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, stage.web.port), 5) as connection:
                connection.sendall(head + (b"\r\n{" if number % 2 else b"X-Half: "))
                while not stop.wait(0.5):
                    connection.sendall(b"a")

    threads = [threading.Thread(target=drip, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


@contextlib.contextmanager
def hanging_postgresql(stage: Stage) -> Iterator[None]:
    """All of the server's processes are stopped, with their connections open, and go on afterwards."""
    with psycopg.connect(settings.DATABASE_OWNER_URL) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        postmaster = _parent(row[0])
    assert "postgres" in Path(f"/proc/{postmaster}/cmdline").read_text()
    os.kill(postmaster, signal.SIGSTOP)
    stopped = _children(postmaster)
    try:
        for pid in stopped:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in [*stopped, postmaster]:
            _signal(pid, signal.SIGCONT)


WITHOUT_LIMITS = {"DJANGO_SETTINGS_MODULE": "tests.drills.load.settings_without_limits"}
LOADS: dict[str, Hostile] = {
    "slow_sockets": Hostile(slow_sockets, {"GUNICORN_CMD_ARGS": "--worker-class=gthread"}),
    "hanging_postgresql": Hostile(hanging_postgresql, {"DB_WAITING_THREADS": "1000"}),
    "expensive_filters": Hostile(hostile_requests.expensive_filters, WITHOUT_LIMITS),
    "large_bodies": Hostile(hostile_requests.large_bodies, WITHOUT_LIMITS),
}


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def settled_memory(stage: Stage, most: float) -> int:
    """The server's memory, once it is no more than that, or after some seconds."""
    ends = time.monotonic() + 10
    while (found := stage.memory()) > most and time.monotonic() < ends:
        time.sleep(0.5)
    return found


__all__: list[Any] = ["LOADS", "Hostile", "Seen", "Stage", "prepare", "settled_memory"]
