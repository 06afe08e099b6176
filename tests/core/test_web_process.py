"""Behaviour that only a real server shows: metrics over processes, flags without SQL, bodies on the wire."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import ApiClient, FeatureFlag
from accounts.tenancy import scope
from config.devservers.ports import free_port
from recommendations.models import Item
from tests.core import web_process

pytestmark = pytest.mark.journey
LOOPBACK = "127.0.0.1"
REFRESH = 1.0
SCRAPER = "a token that only the scraper has"
METRICS_PORT = free_port()


@pytest.fixture
def web(cast, committed_db, tmp_path):
    with web_process.serving(
        tmp_path,
        WEB_CONCURRENCY="2",
        PROCESS_REFRESH_SECONDS=str(REFRESH),
        DB_POOL_MAX_SIZE="3",
        METRICS_PUBLIC="0",
        METRICS_TOKEN=SCRAPER,
        METRICS_PORT=str(METRICS_PORT),
    ) as running:
        yield running


def value(web, name, **labels):
    """The sum of a metric's samples that carry these labels."""
    text = web.ask("GET", "/metrics", token=SCRAPER).body.decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@pytest.mark.slow
def test_the_whole_of_it(web, cast, tmp_path):
    """One server for all that follows: to start one takes longer than each of these looks."""
    token = cast.acme.admin.token
    _metrics_are_right_over_two_processes(web, token)
    _bodies(web, token)
    _flags_take_effect_without_sql_in_requests(web, cast)
    _a_deactivated_client_is_refused_within_five_seconds(web, cast)
    _connections_stay_within_the_pools(web)


def _metrics_are_right_over_two_processes(web, token):
    name, labels = "docent_http_request_duration_seconds_count", {"method": "GET", "status": "404"}
    before = value(web, name, **labels)
    seen = [before]
    with ThreadPoolExecutor(8) as pool:
        for batch in range(5):
            answers = pool.map(
                lambda n: web.ask("GET", f"/api/v1/nothing/{n}").status, range(batch * 40, batch * 40 + 40)
            )
            assert set(answers) == {404}
            seen.append(value(web, name, **labels))

    assert seen == [before + 40 * batch for batch in range(6)]
    for refused in ({}, {"token": token}, {"token": SCRAPER[:-1]}, {"token": ""}):
        assert web.ask("GET", "/metrics", **refused).status == 404
    own = web_process.WebProcess(METRICS_PORT, web.process)
    assert own.ask("GET", "/metrics").status == 200
    assert own.ask("GET", "/healthz").status == 200
    assert own.ask("GET", "/api/v1/items", token=token).status == 404
    assert web.ask("GET", "/metrics", Host=f"{LOOPBACK}:{METRICS_PORT}").status == 404
    processes = subprocess.run(
        ["ps", "--ppid", str(web.process.pid), "-o", "pid="], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(processes) == 2


def _bodies(web, token):
    body = b'{"title": "in pieces"}'
    sent = web.ask(
        "PUT", "/api/v1/items/chunked", token=token, body=iter([body[:5], body[5:]]), Content_Type="application/json"
    )
    assert (sent.status, sent.json()["title"]) == (201, "in pieces")
    large = web.ask(
        "PUT", "/api/v1/items/a", token=token, body=iter([b"x" * 1_000_000] * 6), Content_Type="application/json"
    )
    assert (large.status, large.json()["code"]) == (413, "too_large")
    with socket.create_connection((LOOPBACK, web.port), timeout=10) as connection:
        connection.sendall(
            f"PUT /api/v1/items/a HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{}".encode()
        )
        connection.shutdown(socket.SHUT_WR)  # it promised 500 bytes and sends 2
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
    assert web.ask("GET", "/api/v1/items/a", token=token).status == 404
    with socket.create_connection((LOOPBACK, web.port), timeout=10) as connection:
        connection.sendall(f"HEAD /healthz HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
        head = b"".join(iter(lambda: connection.recv(65536), b""))
    assert head.startswith(b"HTTP/1.1 200")
    assert head.endswith(b"\r\n\r\n")
    assert web.ask("GET", "/api/v1/items/%00", token=token).status == 422


def _flags_take_effect_without_sql_in_requests(web, cast):
    with scope.tenant(cast.acme.tenant.pk):
        Item.objects.create(tenant=cast.acme.tenant, item_id="a", title="a")
    path, token = "/api/v1/users/somebody/recommendations", cast.acme.reader.token
    assert web.ask("GET", path, token=token).json()["degraded"] != "flag"
    with scope.tenant(cast.acme.tenant.pk):
        flag = FeatureFlag.objects.create(tenant=cast.acme.tenant, name="recommendations", percent=0)
    off = _seconds_until(lambda: web.ask("GET", path, token=token).json()["degraded"] == "flag", times=10)
    with scope.tenant(cast.acme.tenant.pk):
        flag.delete()
    on = _seconds_until(lambda: web.ask("GET", path, token=token).json()["degraded"] != "flag", times=10)
    assert max(off, on) < 5

    # A request that ends right behind authentication: whatever SQL there is belongs to the threads.
    statements = value(web, "django_db_execute_total")
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: web.ask("GET", "/api/v1/items?limit=x", token=token).status, range(300)))
    refreshes = (time.monotonic() - started) / REFRESH + 1
    assert set(answers) == {422}
    assert value(web, "django_db_execute_total") - statements <= 2 * refreshes * 8


def _a_deactivated_client_is_refused_within_five_seconds(web, cast):
    token = cast.globex.reader.token
    assert web.ask("GET", "/api/v1/items", token=token).status == 200
    with scope.tenant(cast.globex.tenant.pk):
        ApiClient.objects.filter(pk=cast.globex.reader.client.pk).update(active=False)

    assert _seconds_until(lambda: web.ask("GET", "/api/v1/items", token=token).status == 401, times=10) < 5


def _seconds_until(probe, *, times):
    """Seconds until the probe held so many times running: each process has a copy of its own."""
    started, held = time.monotonic(), 0
    while held < times:
        held = held + 1 if probe() else 0
        assert time.monotonic() - started < 15
        time.sleep(0.02)
    return time.monotonic() - started


def _connections_stay_within_the_pools(web):
    import psycopg

    for _ in range(30):
        assert web.ask("GET", "/readyz").status == 200
    name = settings.DATABASES["default"]["NAME"]
    with psycopg.connect(settings.DATABASE_OWNER_URL) as owner:
        row = owner.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = %s AND pid <> pg_backend_pid()",
            [name, settings.DATABASES["default"]["USER"]],
        ).fetchone()
    assert row is not None
    assert row[0] <= 2 * 3 + 1  # two processes with pools of three, and this test


class TestRefusalToStart:
    @pytest.mark.slow
    def test_production_without_its_secrets_serves_nothing(self, tmp_path):
        port = 1  # never reached
        environment = web_process.environment(tmp_path, port, DJANGO_SETTINGS_MODULE="config.settings.base")
        for name in (
            "SECRET_KEY",
            "SECRET_KEY_FILE",
            "KEY_ENCRYPTION_KEYS",
            "KEY_ENCRYPTION_KEYS_FILE",
            "ALLOWED_HOSTS",
            "PROMETHEUS_MULTIPROC_DIR",
        ):
            environment.pop(name, None)
        environment |= {"CORS_ALLOWED_ORIGINS": "http://localhost:3000", "SECRET_KEY": "short"}

        done = subprocess.run(
            [sys.executable, "-c", "import config.wsgi"],
            cwd=web_process.ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode != 0
        for said in ("core.E005", "SECRET_KEY", "accounts.E001", "KEY_ENCRYPTION_KEYS", "core.E004", "core.E007"):
            assert said in done.stderr
        assert os.environ.get("DJANGO_SETTINGS_MODULE") == "config.settings.test"
