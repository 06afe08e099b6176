"""The stage of the AI drills: a simulator and a worker of four in processes of their own, a web server, a reader."""

import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accounts.models import Tenant
from accounts.tenancy import scope
from config.devservers.ports import LOOPBACK, free_port
from core import clock
from recommendations.ai.models import AIAnswer
from recommendations.models import Build
from recommendations.pipeline.builds import lifecycle
from recommendations.pipeline.builds.progress import progress
from tests.core.web_process import WebProcess
from tests.fakes.openai_fixture import SimulatorControl
from tests.recommendations.pipeline.generated import reread
from tests.workers.processes import CeleryProcess

ROOT = Path(__file__).resolve().parents[3]
PROCESSES = 4
READERS, PAUSE_SECONDS = 2, 0.01
BUILD_SECONDS = 60.0


@contextlib.contextmanager
def simulator() -> Iterator[SimulatorControl]:
    """One in a process of its own, so that it takes no time from whoever measures."""
    port = free_port()
    command = [sys.executable, "-m", "tests.fakes.openai_server", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    control = SimulatorControl(base_url=f"http://{LOOPBACK}:{port}/v1")
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                control.state()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield control
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def workers(**environment: str) -> Iterator[CeleryProcess]:
    """A Celery worker of four processes."""
    process = CeleryProcess("worker", "-c", str(PROCESSES), "--without-gossip", "--without-mingle", **environment)
    try:
        yield process
    finally:
        process.close()


def build(tenant: Tenant) -> Build:
    """One with AI by the workers, and nothing that was answered before; waits for its end."""
    with scope.tenant(tenant.pk):
        AIAnswer.objects.all().delete()
    started = lifecycle.start(tenant_id=tenant.pk, reason="drill", now=clock.now())
    deadline = time.monotonic() + BUILD_SECONDS
    while not progress(tenant_id=tenant.pk, build_id=started.pk).ended:
        assert time.monotonic() < deadline, "the build did not end"
        time.sleep(0.02)
    return reread(started)


@dataclass
class Reads:
    """Durations of reads of all users' lists, and wrong answers among them."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def p95_ms(self) -> float:
        """The 95th percentile."""
        return statistics.quantiles(self.seconds, n=20)[-1] * 1000


@contextlib.contextmanager
def reading(web: WebProcess, token: str, people: list[str], *, size: int, before: Any = None) -> Iterator[Reads]:
    """People read their lists of ``size`` at a steady pace while the context lasts; `before` runs in each read."""
    reads, done = Reads(), threading.Event()
    threads = [
        threading.Thread(target=_read, args=(web, token, people[n::READERS], size, before, reads, done))
        for n in range(READERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield reads
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _read(
    web: WebProcess, token: str, people: list[str], size: int, before: Any, reads: Reads, done: threading.Event
) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, web.port, timeout=15)
    number = 0
    while not done.wait(PAUSE_SECONDS):
        person = people[number % len(people)]
        number += 1
        started = time.monotonic()
        if before:
            before()
        connection.request(
            "GET", f"/api/v1/users/{person}/recommendations?limit={size}", headers={"Authorization": f"Bearer {token}"}
        )
        response = connection.getresponse()
        body = response.read()
        reads.seconds.append(time.monotonic() - started)
        items = json.loads(body).get("items", []) if response.status == 200 else []
        if len({each["item_id"] for each in items}) != size or not all(each["reason"] for each in items):
            reads.wrong.append(f"{response.status} {person} {len(items)}")
    connection.close()
