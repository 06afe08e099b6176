"""The warm read of one person's list, over HTTP, through the real web server and the real servers.

    .venv/bin/python -m config.devservers run --ephemeral bench -- \\
        .venv/bin/python -m tests.benchmarks.hot_read --seconds 10

Prints requests per second and percentiles for a full answer and for a 304, what a batch of 100 people costs, and how
many Redis commands, round trips and PostgreSQL transactions each read took, as the servers count them. The client
runs on the same machine and takes its share of the processors: compare figures of one machine only.
"""

import argparse
import contextlib
import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import django
import psycopg

PEOPLE, ITEMS, CONNECTIONS = 500, 400, 8
Request = Callable[[http.client.HTTPConnection, int], int]


@dataclass(frozen=True)
class Service:
    """Port of the server, a token for it, and its process."""

    port: int
    token: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        """Of an authorised request."""
        return {"Authorization": f"Bearer {self.token}"}

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept alive."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)


def prepare() -> str:
    """A tenant with a list of 100 for each person; returns a token of its client."""
    from accounts.models import Plan, Tenant
    from accounts.models.tenant import UNLIMITED
    from accounts.tenancy import scope
    from accounts.tokens import access_tokens, clients
    from core import clock
    from tests.recommendations.lists import publish

    with scope.all_tenants("benchmark: its tenant"):
        plan = Plan.objects.create(name="Benchmark", **UNLIMITED)
        tenant = Tenant.objects.create(slug="bench", name="B", plan=plan)
    items = [f"item-{number}" for number in range(ITEMS)]
    lists = {f"person-{number}": (items[number % 300 :] + items)[:100] for number in range(PEOPLE)}
    publish(tenant, people=lists, items=items, popular=items[:100])
    with scope.tenant(tenant.pk):
        issued = clients.issue(tenant=tenant, name="bench", scopes=["recommendations:read"])
    return access_tokens.issue(client=issued.client, scopes=["recommendations:read"], now=clock.now())


@contextlib.contextmanager
def serving(token: str, **more: str) -> Iterator[Service]:
    """Gunicorn as it is deployed, with more variables, on a free port, until the context ends."""
    from config.devservers.ports import free_port

    with tempfile.TemporaryDirectory() as metrics:
        port = free_port()
        environment = {
            **os.environ,
            "PORT": str(port),
            "PROMETHEUS_MULTIPROC_DIR": metrics,
            "LOG_LEVEL": "WARNING",
            **more,
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "config.wsgi:application"]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            service = Service(port, token, server.pid)
            deadline = time.monotonic() + 60
            while not _ready(service):
                if time.monotonic() > deadline or server.poll() is not None:
                    raise SystemExit("The web server did not get ready.")
                time.sleep(0.1)
            yield service
        finally:
            server.terminate()
            server.wait(30)


def _ready(service: Service) -> bool:
    try:
        connection = service.connect()
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def read_one(service: Service, validators: dict[int, str]) -> Request:
    """A GET of a person's list; conditional where a validator is known."""

    def request(connection: http.client.HTTPConnection, number: int) -> int:
        person = number % PEOPLE
        headers = service.headers
        if person in validators:
            headers["If-None-Match"] = validators[person]
        connection.request("GET", f"/api/v1/users/person-{person}/recommendations", headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status

    return request


def read_batch(service: Service) -> Request:
    """A POST for the lists of 100 people."""
    bodies = [
        json.dumps({"user_ids": [f"person-{(start + each) % PEOPLE}" for each in range(100)]})
        for start in range(0, PEOPLE, 100)
    ]

    def request(connection: http.client.HTTPConnection, number: int) -> int:
        headers = {**service.headers, "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/recommendations/batch", bodies[number % len(bodies)], headers)
        response = connection.getresponse()
        response.read()
        return response.status

    return request


def measure(service: Service, request: Request, *, expected: int, seconds: float, connections: int) -> list[float]:
    """Milliseconds of every request that the connections made in the time.

    Raises: SystemExit when an answer has another status than expected.
    """
    times: list[float] = []
    wrong: list[int] = []
    until = time.perf_counter() + seconds

    def work(first: int) -> None:
        connection, number, own = service.connect(), first, []
        while time.perf_counter() < until:
            started = time.perf_counter()
            status = request(connection, number)
            own.append((time.perf_counter() - started) * 1000)
            if status != expected:
                wrong.append(status)
                break
            number += connections
        times.extend(own)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(f"Answered {wrong[0]}, not {expected}.")
    return times


def report(title: str, times: list[float], seconds: float) -> None:
    """One line."""
    marks = statistics.quantiles(times, n=100)
    rate, (p50, p95, p99) = len(times) / seconds, (marks[49], marks[94], marks[98])
    print(f"  {title:<28} {rate:>6,.0f}/s  p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f} ms")


def validators_of(service: Service) -> dict[int, str]:
    """Each person's ETag; the first read puts the list into Redis."""
    connection, found = service.connect(), {}
    for person in range(PEOPLE):
        connection.request("GET", f"/api/v1/users/person-{person}/recommendations", headers=service.headers)
        response = connection.getresponse()
        response.read()
        found[person] = response.headers["ETag"]
    return found


def count_work(service: Service, owner: psycopg.Connection, reads: int = 1000) -> None:
    """Prints the servers' counts for sequential warm reads, without the processes' own polls."""
    from core import redis

    def counters() -> tuple[int, int, int]:
        commands = redis.client().info("commandstats")
        reads_of = sum(commands.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("get", "hgetall"))
        batches = redis.client().info("stats")["total_reads_processed"]
        owner.execute("SELECT pg_stat_clear_snapshot()")
        row = owner.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
        return reads_of, batches, row[0] if row else 0

    def spent(work: Callable[[], object]) -> list[int]:
        before, started = counters(), time.monotonic()
        work()
        time.sleep(max(0.0, 6.0 - (time.monotonic() - started)))  # backends report their statistics late
        return [after - earlier for earlier, after in zip(before, counters(), strict=True)]

    request, connection = read_one(service, {}), service.connect()
    idle = spent(lambda: None)
    busy = spent(lambda: [request(connection, number) for number in range(reads)])
    commands, trips, transactions = ((one - other) / reads for one, other in zip(busy, idle, strict=True))
    print(f"  {reads} warm reads: {commands:.2f} Redis commands, {trips:.2f} Redis reads from the socket and")
    print(f"  {transactions:.2f} PostgreSQL transactions each (the processes' polls in the same time taken off)")


def main() -> None:
    """Prepare, serve, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    with tempfile.TemporaryDirectory() as folder:
        from pathlib import Path

        from config.local.credentials import ensure_credentials

        os.environ |= ensure_credentials(var=Path(folder), given=os.environ)
        _run(asked.seconds, asked.connections)


def _run(seconds: float, connections: int) -> None:
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    token = prepare()
    with serving(token) as service, psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        known = validators_of(service)
        print(f"{connections} connections, {seconds:g} s each, {os.cpu_count()} processors shared with the client")
        for title, request, status in (
            ("a list of 20", read_one(service, {}), 200),
            ("the same, unchanged (304)", read_one(service, known), 304),
            ("a batch of 100 people", read_batch(service), 200),
        ):
            measure(service, request, expected=status, seconds=1.0, connections=connections)
            times = measure(service, request, expected=status, seconds=seconds, connections=connections)
            report(title, times, seconds)
        count_work(service, owner)


if __name__ == "__main__":
    main()
