"""The warm read of a user's list, over HTTP, beside a FastAPI service with the same checks.

    .venv/bin/python -m config.devservers run --ephemeral bench -- \\
        .venv/bin/python -m tests.benchmarks.hot_read --rounds 5

Both services run all the time, over the same Redis, and are asked in turn. Prints requests per second, percentiles and
processor time of each, and the ratio of the rates, for a full answer, a 304 and a batch of 100 users; then how many
Redis commands, round trips and PostgreSQL transactions each of our reads took, as the servers count them. The client
runs on the same machine and takes its share of the processors: compare figures of one run only. The peer needs fastapi
and uvicorn[standard] (`--peer-python` names an interpreter that has them; without any it is left out).
"""

import argparse
import contextlib
import http.client
import importlib.util
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import django
import psycopg

from tests.benchmarks.peers import load
from tests.benchmarks.peers.load import Round, Target
from tests.benchmarks.report import results

USERS, ITEMS, CONNECTIONS, BATCH = 500, 400, 16, 100
PEER = "FastAPI peer"


@dataclass(frozen=True)
class Service:
    """Port of the server, a token for it, its first process, and the prefix of its paths."""

    port: int
    token: str
    pid: int
    prefix: str = "/api/v1"

    def read(self, number: int, validator: str = "") -> bytes:
        """The request for one user's list; conditional with a validator."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"If-None-Match": validator} if validator else {})
        return load.request("GET", f"{self.prefix}/users/person-{number}/recommendations", headers=headers)

    def batch(self, start: int) -> bytes:
        """The request for the lists of many users."""
        body = json.dumps({"user_ids": [f"person-{(start + each) % USERS}" for each in range(BATCH)]}).encode()
        headers = {"Authorization": f"Bearer {self.token}"}
        return load.request("POST", f"{self.prefix}/recommendations/batch", headers=headers, body=body)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of an authorised request."""
        return {"Authorization": f"Bearer {self.token}"}

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept alive."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def reads(self) -> list[bytes]:
        """A read of each user."""
        return [self.read(number) for number in range(USERS)]

    def conditional(self) -> list[bytes]:
        """The same with each user's validator, which lasts for five minutes at most."""
        answers = (load.answer(self.port, self.read(number)) for number in range(USERS))
        return [self.read(number, headers["etag"]) for number, (_, headers, _) in enumerate(answers)]

    def batches(self) -> list[bytes]:
        """A batch from each hundredth user on."""
        return [self.batch(start) for start in range(0, USERS, BATCH)]

    def targets(self) -> dict[str, Target]:
        """By what is asked."""
        target = partial(Target, self.port, self.pid)
        return {
            "a list of 20": target(self.reads),
            "the same, unchanged (304)": target(self.conditional, (304, 200)),
            f"a batch of {BATCH} users": target(self.batches),
        }


def prepare() -> str:
    """A tenant with a list of 100 for each user, a rate limit and a quota; returns a token of its client."""
    from accounts.models import Plan, Tenant
    from accounts.tenancy import scope
    from accounts.tokens import access_tokens, clients
    from core import clock
    from tests.recommendations.lists import publish

    most = 600_000_000
    with scope.all_tenants("benchmark: its tenant"):
        plan = Plan.objects.create(name="Benchmark", read_per_minute=most, read_burst=most, requests_per_month=10**12)
        tenant = Tenant.objects.create(slug="bench", name="B", plan=plan)
    items = [f"item-{number}" for number in range(ITEMS)]
    lists = {f"person-{number}": (items[number % 300 :] + items)[:100] for number in range(USERS)}
    publish(tenant, people=lists, items=items, popular=items[:100])
    with scope.tenant(tenant.pk):
        issued = clients.issue(tenant=tenant, name="bench", scopes=["recommendations:read"])
    return access_tokens.issue(client=issued.client, scopes=["recommendations:read"], now=clock.now())


@contextlib.contextmanager
def _running(command: Sequence[str], environment: dict[str, str], ready: Callable[[], bool]) -> Iterator[int]:
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not ready():
            if time.monotonic() > deadline or server.poll() is not None:
                raise SystemExit(f"{command[2]} did not get ready.")
            time.sleep(0.1)
        time.sleep(0.5)  # each of its processes
        yield server.pid
    finally:
        server.terminate()
        server.wait(30)


@contextlib.contextmanager
def serving(token: str, **more: str) -> Iterator[Service]:
    """Gunicorn as it is deployed, with more variables, on a free port, until the context ends."""
    from config.devservers.ports import free_port

    with tempfile.TemporaryDirectory() as metrics:
        port = free_port()
        environment = {**os.environ, "PORT": str(port), "PROMETHEUS_MULTIPROC_DIR": metrics, **more}
        command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "config.wsgi:application"]
        with _running(command, environment, lambda: _answers(port, "/readyz")) as pid:
            yield Service(port, token, pid)


@contextlib.contextmanager
def serving_peer(python: str, ours: Service) -> Iterator[Service]:
    """The peer with as many processes, over the same Redis, holding the very bodies that our service answers with."""
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    from config.devservers.ports import free_port
    from core import redis

    for number in range(USERS):
        _, _, body = load.answer(ours.port, ours.read(number))
        etag = f'"{secrets.token_hex(8)}"'
        redis.client().set(f"{{peer:bench}}:list:person-{number}", etag.encode() + body)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = {"aud": "reads", "iss": "reads-peer", "exp": time.time() + 3600, "jti": "t", "sub": "c", "tenant": "bench"}
    token = jwt.encode({**claims, "scope": "recommendations:read"}, key, algorithm="RS256")
    with tempfile.TemporaryDirectory() as metrics:
        port = free_port()
        environment = {
            **os.environ,
            "PROMETHEUS_MULTIPROC_DIR": metrics,
            "PEER_REDIS_URL": os.environ["REDIS_URL"],
            "PEER_PUBLIC_KEY": public.decode(),
        }
        command = [python, "-m", "uvicorn", "tests.benchmarks.peers.reads:app", "--port", str(port), "--workers", "2"]
        command += ["--no-access-log", "--log-level", "warning"]
        with _running(command, environment, lambda: _answers(port, "/openapi.json")) as pid:
            yield Service(port, token, pid, prefix="/v1")


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def count_work(service: Service, owner: psycopg.Connection, reads: int = 1000) -> None:
    """Prints the servers' counts for sequential warm reads, without the processes' own polls."""
    from core import redis

    def counters() -> tuple[int, int, int]:
        commands = redis.client().info("commandstats")
        scripts = sum(commands.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))
        batches = redis.client().info("stats")["total_reads_processed"]
        owner.execute("SELECT pg_stat_clear_snapshot()")
        row = owner.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
        return scripts, batches, row[0] if row else 0

    def spent(work: Callable[[], object]) -> list[int]:
        before, started = counters(), time.monotonic()
        work()
        time.sleep(max(0.0, 6.0 - (time.monotonic() - started)))  # backends report their statistics late
        return [after - earlier for earlier, after in zip(before, counters(), strict=True)]

    idle = spent(lambda: None)
    busy = spent(lambda: [load.answer(service.port, service.read(number % USERS)) for number in range(reads)])
    scripts, trips, transactions = ((one - other) / reads for one, other in zip(busy, idle, strict=True))
    print(f"  {reads} warm reads: {scripts:.2f} Redis scripts, {trips:.2f} Redis reads from the socket and")
    print(f"  {transactions:.2f} PostgreSQL transactions each (the processes' polls in the same time taken off)")


def main() -> None:
    """Prepare, serve, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--beside", metavar="NAME=VALUE", help="ours once more with this variable, instead of the peer")
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    with tempfile.TemporaryDirectory() as folder:
        from config.local.credentials import ensure_credentials

        os.environ |= ensure_credentials(var=Path(folder), given=os.environ)
        _run(asked)


def _run(asked: argparse.Namespace) -> None:
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(serving(prepare()))
        owner = stack.enter_context(psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True))
        services = {"ours": ours}
        if asked.beside:
            name, _, value = asked.beside.partition("=")
            services[asked.beside] = stack.enter_context(serving(ours.token, **{name: value}))
        elif asked.peer_python != sys.executable or importlib.util.find_spec("fastapi"):
            services[PEER] = stack.enter_context(serving_peer(asked.peer_python, ours))
        print(f"{asked.connections} connections, {asked.rounds} rounds of {asked.seconds:g} s in turn, ", end="")
        print(f"{os.cpu_count()} processors shared with the client and Redis")
        for title in ours.targets():
            print(f"  {title}")
            targets = {name: service.targets()[title] for name, service in services.items()}
            found = load.compare(targets, rounds=asked.rounds, seconds=asked.seconds, connections=asked.connections)
            if PEER in found:
                _record(title, found["ours"], found[PEER])
        count_work(ours, owner)


def _record(title: str, ours: Sequence[Round], peers: Sequence[Round]) -> None:
    pairs = zip(ours, peers, strict=True)
    results.record(
        "hot_read",
        title,
        unit="requests/s",
        ours=[each.rate for each in ours],
        peers=[each.rate for each in peers],
        processor=statistics.median(other.microseconds / own.microseconds for own, other in pairs),
        p50=statistics.median(each.percentile(50) for each in ours),
        p99=statistics.median(each.percentile(99) for each in ours),
        peers_p99=statistics.median(each.percentile(99) for each in peers),
    )


if __name__ == "__main__":
    main()
