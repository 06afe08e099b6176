"""The service through PgBouncer in transaction mode, as Debian ships it: it is ready, it serves, its limits hold."""

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from config.devservers.ports import LOOPBACK, free_port
from tests.core import web_process

BINARY = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.drill,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.skipif(BINARY is None, reason="needs pgbouncer: apt-get install pgbouncer"),
]
CONNECTIONS = 3  # to PostgreSQL, for all clients together


@pytest.fixture
def pooler(tmp_path):
    """A running PgBouncer in front of the test run's database; its URL."""
    database = settings.DATABASES["default"]
    port, folder = free_port(), tmp_path / "pgbouncer"
    folder.mkdir()
    target = (
        f"host={database['HOST']} port={database['PORT']} dbname={database['NAME']}"
        f" user={database['USER']} password={database['PASSWORD']}"
    )
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{database['NAME']} = {target}\n[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\n"
        f"max_client_conn = 100\nlogfile = {folder}/log\n"
    )
    as_root = ["-u", "nobody"] if os.getuid() == 0 else []  # it refuses to run as root
    if as_root:
        for each in (folder, *folder.iterdir()):
            shutil.chown(each, "nobody")
        for each in folder.parents:
            if each.stat().st_uid == 0 and not each.stat().st_mode & 0o001:
                each.chmod(each.stat().st_mode | 0o011)
    process = subprocess.Popen([str(BINARY), *as_root, str(folder / "pgbouncer.ini")], stderr=subprocess.DEVNULL)
    url = f"postgresql://{urlsplit(settings.DATABASE_URL).username}@{LOOPBACK}:{port}/{database['NAME']}"
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url, process):
    ends = time.monotonic() + 10
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.1)
        else:
            return


def test_everything_is_served(tmp_path, cast, pooler):
    token = cast.acme.admin.token
    with web_process.serving(tmp_path, DATABASE_URL=pooler, WEB_CONCURRENCY="2") as web:
        assert web.ask("GET", "/readyz").json() == {
            "status": "ok",
            "checks": {"database": "ok", "redis": "ok", "tenants": "ok"},
        }

        def work(number):
            put = web.ask(
                "PUT",
                f"/api/v1/items/i{number}",
                token=token,
                body=b'{"title": "one"}',
                Content_Type="application/json",
            )
            stranger = web.ask("GET", f"/api/v1/items/i{number}", token=cast.globex.admin.token)
            return put.status, web.ask("GET", f"/api/v1/items/i{number}", token=token).status, stranger.status

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(work, range(60)))
    assert set(answers) == {(201, 200, 404)}


def test_a_time_limit_is_the_transactions_and_nobody_elses(pooler):
    """Settings of a session would stay with the connection that the pooler hands to others next."""
    with psycopg.connect(pooler) as one, psycopg.connect(pooler) as other:
        for _ in range(5):
            with one.transaction():
                one.execute("SELECT set_config('statement_timeout', '50', true)")
            with other.transaction():
                row = other.execute("SHOW statement_timeout").fetchone()
            assert row == ("0",)


def test_a_request_that_takes_too_long_is_ended(tmp_path, cast, pooler):
    """The scope's own limit, through the pooler: a writer waits for a lock that is not given."""
    name = settings.DATABASES["default"]["NAME"]
    owner_url = f"{settings.DATABASE_OWNER_URL.rpartition('/')[0]}/{name}"
    with web_process.serving(tmp_path, DATABASE_URL=pooler, WEB_CONCURRENCY="1", API_DEADLINE_SECONDS="2") as web:
        with psycopg.connect(owner_url) as owner:
            owner.execute("LOCK TABLE recommendations_item IN ACCESS EXCLUSIVE MODE")
            started = time.monotonic()
            answer = web.ask(
                "PUT", "/api/v1/items/late", token=cast.acme.admin.token, body=b'{"title": "t"}',
                Content_Type="application/json",
            )  # fmt: skip
            took = time.monotonic() - started
        assert (answer.status, answer.headers.get("retry-after")) == (503, "2")
        assert 1.5 < took < 3
        ends = time.monotonic() + 5
        while web.ask("GET", "/api/v1/items/late", token=cast.acme.admin.token).status == 503:
            assert time.monotonic() < ends  # the lock is free, and so are the connections
        assert web.ask("GET", "/api/v1/items/late", token=cast.acme.admin.token).status == 404
