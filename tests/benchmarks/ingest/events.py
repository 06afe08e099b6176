"""Events over HTTP beside FastAPI and psycopg with the same guarantees, in turn in every round.

    .venv/bin/python -m config.devservers run --ephemeral bench -- \\
        .venv/bin/python -m tests.benchmarks.ingest.events --seconds 5 --rounds 3

Single events with an Idempotency-Key over 8 connections, then batches of 1,000 over one and four. Both sides run two
processes on the same servers; the client takes its share of the processors. Prints requests per second and the ratio of
each round's pair: its median and its range.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import django
import psycopg

from tests.benchmarks.report import results

USERS, ITEMS, BATCH = 3_000, 2_000, 1_000
_draw = random.Random(7)


@dataclass(frozen=True)
class Side:
    """One of the two: its port, paths and headers."""

    port: int
    prefix: str
    headers: dict[str, str]

    def send(self, connection: http.client.HTTPConnection, path: str, body: bytes, *, key: bool) -> None:
        """Raises: SystemExit for any answer but a success."""
        headers = self.headers | {"Content-Type": "application/json"}
        headers |= {"Idempotency-Key": uuid.uuid4().hex} if key else {}
        connection.request("POST", f"{self.prefix}{path}", body, headers)
        response = connection.getresponse()
        shown = response.read()
        if response.status not in {200, 201}:
            raise SystemExit(f"{response.status}: {shown[:300]!r}")


def event() -> dict[str, object]:
    """An event of its own, with an id."""
    return {
        "event_id": uuid.uuid4().hex,
        "user_id": f"user-{_draw.randrange(USERS)}",
        "item_id": f"item-{_draw.randrange(ITEMS)}",
        "type": _draw.choice(("view", "click", "purchase")),
        "value": _draw.randrange(10_000) / 100,
        "occurred_at": "2026-11-01T08:30:00Z",
    }


def single() -> bytes:
    """The body of one event."""
    return json.dumps(event()).encode()


def batch() -> bytes:
    """The body of a batch."""
    return json.dumps({"events": [event() for _ in range(BATCH)]}).encode()


def rate(side: Side, path: str, make: Callable[[], bytes], *, key: bool, connections: int, seconds: float) -> float:
    """Requests per second; bodies are made beforehand."""
    counts = [0] * connections
    bodies = [[make() for _ in range(64 if make is batch else 2_000)] for _ in range(connections)]
    start = threading.Barrier(connections)

    def work(place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=30)
        start.wait()
        until = time.perf_counter() + seconds
        for body in bodies[place]:
            if time.perf_counter() > until:
                break
            side.send(connection, path, body, key=key)
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


@contextlib.contextmanager
def peer() -> Iterator[Side]:
    """The peer under uvicorn, until the context ends."""
    from django.conf import settings

    from config.devservers.ports import free_port

    port = free_port()
    given = {"PEER_DATABASE_URL": settings.DATABASE_OWNER_URL, "PEER_REDIS_URL": os.environ["REDIS_URL"]}
    command = [sys.executable, "-m", "uvicorn", "tests.benchmarks.peers.events:app", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--workers", "2", "--no-access-log"],
        env=os.environ | given,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/docs")
                connection.getresponse().read()
                break
            if time.monotonic() > deadline:
                raise SystemExit("The peer did not get ready.")
            time.sleep(0.2)
        yield Side(port, "/v1", {})
    finally:
        server.terminate()
        server.wait(30)


def prepare() -> str:
    """A tenant; returns a token of its client."""
    from accounts.models import Plan, Tenant
    from accounts.models.tenant import UNLIMITED
    from accounts.tenancy import scope
    from accounts.tokens import access_tokens, clients
    from core import clock

    with scope.all_tenants("benchmark: its tenant"):
        plan = Plan.objects.create(name="Benchmark", **UNLIMITED)
        tenant = Tenant.objects.create(slug="bench", name="B", plan=plan)
    with scope.tenant(tenant.pk):
        issued = clients.issue(tenant=tenant, name="bench", scopes=["events:write"])
    return access_tokens.issue(client=issued.client, scopes=["events:write"], now=clock.now())


def main() -> None:
    """Prepare, serve both, measure in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    with tempfile.TemporaryDirectory() as folder:
        from pathlib import Path

        from config.local.credentials import ensure_credentials

        os.environ |= ensure_credentials(var=Path(folder), given=os.environ)
        _run(asked.seconds, asked.rounds)


def _run(seconds: float, rounds: int) -> None:
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from tests.benchmarks.hot_read import serving
    from tests.benchmarks.peers import events as by_hand

    call_command("migrate", verbosity=0)
    token = prepare()
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        owner.execute(by_hand.SCHEMA)
    with serving(token) as service, peer() as other:
        ours = Side(service.port, "/api/v1", service.headers)
        for side in (ours, other):  # users and items exist, and the first build is past
            rate(side, "/events/batch", batch, key=False, connections=1, seconds=2.0)
        print(f"{rounds} rounds of {seconds:g} s, two processes each; medians")
        for title, path, make, key, connections in (
            ("single event with a key, 8 connections", "/events", single, True, 8),
            ("batch of 1,000, 1 connection", "/events/batch", batch, False, 1),
            ("batch of 1,000, 4 connections", "/events/batch", batch, False, 4),
        ):
            pairs = []
            for _ in range(rounds):
                measured = [
                    rate(side, path, make, key=key, connections=connections, seconds=seconds) for side in (ours, other)
                ]
                pairs.append((measured[0], measured[1]))
            mine, theirs = zip(*pairs, strict=True)
            found = results.record("ingest.events", title, unit="requests/s", ours=mine, peers=theirs)
            print(
                f"  {title:<40} {found.ours:>7.1f}/s  peer {found.peers:>7.1f}/s  ratio {found.ratio:.2f} "
                f"({found.least:.2f} to {found.greatest:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
