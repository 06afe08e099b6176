"""Ranking given items over HTTP, through the real web server and the real servers, on the demo's data.

    .venv/bin/python -m config.devservers run --ephemeral bench -- .venv/bin/python -m tests.benchmarks.rank

Imports MovieLens latest-small, builds without AI, and asks for rankings of 20, 200 and 1,000 items drawn at random,
each time for another person. Prints percentiles for one connection, and requests a second for several; what the first
ranking of a process took, with the artefact still unread; and the memory of the web processes before and after. The
client runs on the same machine: compare figures of one machine only.
"""

import argparse
import http.client
import json
import os
import random
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import django

from tests.benchmarks.hot_read import Service, serving

SIZES = (20, 200, 1000)
Request = Callable[[http.client.HTTPConnection, int], int]
DATA = Path(__file__).parents[1] / "data" / "movielens"


def prepare() -> tuple[str, list[str], list[str]]:
    """A tenant with MovieLens and a build; returns a token, people and items."""
    from django.core.management import call_command

    from accounts.models import Plan, Tenant
    from accounts.models.tenant import UNLIMITED
    from accounts.tenancy import scope
    from accounts.tokens import access_tokens, clients
    from core import clock
    from recommendations.models import EndUser, Item
    from tests.recommendations.pipeline.generated import build_now

    with scope.all_tenants("benchmark: its tenant"):
        plan = Plan.objects.create(name="Benchmark", **UNLIMITED)
        tenant = Tenant.objects.create(slug="bench", name="B", plan=plan)
    files = {"items": DATA / "items.csv.gz", "events": DATA / "events.csv.gz"}
    call_command("import_data", tenant="bench", no_build=True, verbosity=0, **files)
    build_now(tenant)
    with scope.tenant(tenant.pk):
        issued = clients.issue(tenant=tenant, name="bench", scopes=["recommendations:read"])
        people = list(EndUser.objects.filter(tenant=tenant).order_by("pk").values_list("user_id", flat=True))
        items = list(Item.objects.filter(tenant=tenant).order_by("pk").values_list("item_id", flat=True))
    token = access_tokens.issue(client=issued.client, scopes=["recommendations:read"], now=clock.now())
    return token, people, items


class Asking:
    """Rankings of so many items, each time of another person; counts the answers that were not as intended."""

    def __init__(self, service: Service, people: list[str], items: list[str], size: int) -> None:
        self.service, self.people = service, people
        draw = random.Random(size)
        self.bodies = [json.dumps({"item_ids": draw.sample(items, size)}) for _ in range(50)]
        self.otherwise = 0

    def __call__(self, connection: http.client.HTTPConnection, number: int) -> int:
        headers = {**self.service.headers, "Content-Type": "application/json"}
        person = self.people[number % len(self.people)]
        connection.request("POST", f"/api/v1/users/{person}/rank", self.bodies[number % len(self.bodies)], headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        self.otherwise += answer.get("source") != "model"
        return response.status


def children(pid: int) -> list[str]:
    """The web processes."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def processor(pid: int) -> float:
    """Milliseconds of processor time that the web processes have used."""
    told = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children(pid)]
    return sum(int(each[11]) + int(each[12]) for each in told) * 1000 / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Megabytes of the web processes' own (private) memory."""
    rollups = [Path(f"/proc/{child}/smaps_rollup").read_text() for child in children(pid)]
    lines = [line.split() for rollup in rollups for line in rollup.splitlines()[1:]]
    return sum(int(line[1]) for line in lines if line[0] in ("Private_Dirty:", "Private_Clean:")) // 1024


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


def main() -> None:
    """Prepare, serve, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=610)
    parser.add_argument("--connections", type=int, default=4)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    with tempfile.TemporaryDirectory() as folder:
        from config.local.credentials import ensure_credentials

        os.environ |= ensure_credentials(var=Path(folder), given=os.environ)
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        token, people, items = prepare()
        with serving(token) as service:
            _run(service, people, items, asked.requests, asked.connections)


def _run(service: Service, people: list[str], items: list[str], requests: int, connections: int) -> None:
    print(f"{len(people)} people, {len(items)} items; {os.cpu_count()} processors shared with the client")
    connection, before = service.connect(), memory(service.pid)
    first = Asking(service, people, items, SIZES[0])
    started = time.perf_counter()
    first(connection, 0)
    took = (time.perf_counter() - started) * 1000
    print(f"  the first ranking of a process: {took:.0f} ms, {'otherwise' if first.otherwise else 'as intended'}")
    for size in SIZES:
        ask = Asking(service, people, items, size)
        for number in range(40):
            ask(connection, number)
        ask.otherwise, times, used = 0, [], processor(service.pid)
        for number in range(requests):
            started = time.perf_counter()
            status = ask(connection, number)
            times.append((time.perf_counter() - started) * 1000)
            if status != 200:
                raise SystemExit(f"Answered {status}.")
        used = (processor(service.pid) - used) / requests
        marks = statistics.quantiles(times, n=100)
        print(
            f"  {size:>5} items, one by one         p50 {marks[49]:.1f}  p95 {marks[94]:.1f}  p99 {marks[98]:.1f} ms, "
            f"{used:.1f} ms of a web process's processor time, {ask.otherwise} not by the artefact"
        )
        ask.otherwise = 0
        times = measure(service, ask, expected=200, seconds=5.0, connections=connections)
        report(f"{size:>3} items, {connections} at a time", times, 5.0)
        print(f"        of these {ask.otherwise} not by the artefact")
    print(f"  the web processes' own memory: {before} MB before, {memory(service.pid)} MB after")


if __name__ == "__main__":
    main()
