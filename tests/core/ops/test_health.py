"""Readiness, by what is away."""

import os
import threading
import time

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.test import Client
from psycopg import sql

from accounts.tenancy import tenant_cache
from core import redis
from core.ops import health
from tests.core import sockets


@pytest.fixture(autouse=True)
def _fresh_state(monkeypatch):
    """Readiness remembers for a process's life, and an answer for a second; a test is not one."""
    before = dict(health._state)
    health._state.update(draining=False, migrated=False)
    health._registered.clear()
    health._last.clear()
    monkeypatch.setattr(health, "CACHED_SECONDS", 0.0)
    yield
    health._state.update(before)
    health._registered.clear()
    health._last.clear()


@pytest.fixture
def elsewhere():
    """`elsewhere(name=..., port=...)`: the app's database connections go there from now on."""
    settings = connections["default"].settings_dict
    before = dict(settings)

    def use(**changes) -> None:
        for name, value in changes.items():
            settings[name.upper()] = value

    yield use
    settings.update(before)


@pytest.fixture
def no_redis(settings):
    """The process's client finds nobody."""
    settings.REDIS_URL = f"redis://127.0.0.1:{sockets.closed_port()}/0"
    redis.client.cache_clear()
    yield
    redis.client.cache_clear()


def ready():
    """Status, the word, the checks and the seconds it took."""
    started = time.perf_counter()
    response = Client().get("/readyz")
    body = response.json()
    return response.status_code, body["status"], body["checks"], time.perf_counter() - started


class TestReadyz:
    def test_all_is_well(self, db, redis_server):
        health._check_database()  # as warm_up does: the first look at the migrations takes longest

        status, word, checks, _ = ready()

        assert (status, word) == (200, "ok")
        assert checks == {"database": "ok", "redis": "ok", "tenants": "ok"}

    def test_without_redis_it_serves_from_postgres(self, db, no_redis):
        status, word, checks, _ = ready()

        assert (status, word) == (200, "degraded")
        assert checks["redis"] == "ConnectionError"

    def test_without_postgres_it_serves_from_redis_what_it_knows(self, db, redis_server, elsewhere):
        tenant_cache.load()
        connection.close()
        elsewhere(port=sockets.closed_port())

        status, word, checks, _ = ready()

        assert (status, word) == (200, "degraded")
        assert (checks["database"], checks["tenants"]) == ("OperationalError", "ok")

    def test_a_process_that_never_saw_postgres_serves_nobody(self, db, redis_server, elsewhere):
        connection.close()
        elsewhere(port=sockets.closed_port())

        status, word, checks, _ = ready()

        assert (status, word) == (503, "unavailable")
        assert "tenants" in checks["tenants"]

    def test_without_both(self, db, no_redis, elsewhere):
        tenant_cache.load()
        connection.close()
        elsewhere(port=sockets.closed_port())

        status, word, _, _ = ready()

        assert (status, word) == (503, "unavailable")

    def test_an_unmigrated_database_is_not_ready_though_redis_is(self, db, redis_server, elsewhere, settings):
        tenant_cache.load()
        name = f"docent_empty_{os.getpid()}"
        with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
            owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                elsewhere(name=name)
                status, word, checks, _ = ready()
            finally:
                _drop(owner, name)

        assert (status, word) == (503, "unavailable")
        assert "manage.py migrate" in checks["database"]

    def test_while_draining_nothing_else_is_asked(self, no_redis):
        health.drain()

        status, word, checks, seconds = ready()

        assert (status, word, checks) == (503, "draining", {})
        assert seconds < 0.1


class TestCache:
    def test_the_servers_are_asked_once_while_an_answer_holds(self, db, redis_server, monkeypatch):
        def pings():
            return redis.client().info("commandstats").get("cmdstat_ping", {}).get("calls", 0)

        monkeypatch.setattr(health, "CACHED_SECONDS", 600.0)
        before = pings()

        answers = {ready()[:2] for _ in range(5)}

        assert (answers, pings() - before) == ({(200, "ok")}, 1)
        monkeypatch.setattr(health, "CACHED_SECONDS", 0.0)
        ready()
        assert pings() - before == 2

    def test_draining_shows_at_once(self, db, redis_server, monkeypatch):
        monkeypatch.setattr(health, "CACHED_SECONDS", 600.0)
        assert ready()[0] == 200

        health.drain()

        assert ready()[:2] == (503, "draining")


def _drop(owner, name):
    """Drops the database as soon as the last connection to it has ended."""
    for _ in range(100):
        try:
            owner.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
            return
        except psycopg.errors.ObjectInUse:
            time.sleep(0.05)
    raise AssertionError("somebody holds a connection to the empty database")


class TestTimeLimit:
    def test_holds_for_all_checks_together(self, db, redis_server, elsewhere):
        tenant_cache.load()
        with sockets.black_hole() as server:
            elsewhere(host="127.0.0.1", port=server.port)

            status, _, checks, seconds = ready()

        assert status == 200
        assert checks["database"] == "no answer within 0.8 s"
        assert checks["redis"] == "ok"
        assert 0.7 < seconds < 1.1

    def test_a_server_that_hangs_holds_one_thread_however_often_it_is_asked(self, db, redis_server, elsewhere):
        tenant_cache.load()
        with sockets.black_hole() as server:
            elsewhere(host="127.0.0.1", port=server.port)
            ready()
            again = [ready()[3] for _ in range(3)]
            hanging = [thread for thread in threading.enumerate() if thread.name == "readiness"]
            asked = len(server.accepted)

        assert max(again) < 0.3  # who asks again does not wait again
        assert len(hanging) <= 2  # one for each check that needs Postgres
        assert asked <= 4
        for thread in hanging:
            thread.join(5)

    def test_no_thread_and_no_connection_is_left(self, committed_db, redis_server):
        ready()
        before = _sessions()
        for _ in range(10):
            ready()

        assert [thread for thread in threading.enumerate() if thread.name == "readiness"] == []
        deadline = time.monotonic() + 5
        while _sessions() > before:  # the server takes a moment to see that a client has gone
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _sessions():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


class TestWarmUp:
    def test_survives_servers_that_are_away(self, db, no_redis, elsewhere, settings):
        settings.WARM_UP = []
        connection.close()
        elsewhere(port=sockets.closed_port())

        health.warm_up()

    def test_a_wrong_configuration_is_not_survived(self, db, redis_server, settings):
        settings.WARM_UP = ["accounts.tokens.access_tokens.ensure_configured"]
        settings.JWT_PRIVATE_KEY = "nonsense"

        with pytest.raises(ImproperlyConfigured, match="JWT_PRIVATE_KEY"):
            health.warm_up()

    def test_every_step_that_settings_name_exists(self, settings):
        from django.utils.module_loading import import_string

        for name in [*settings.WARM_UP, *settings.READINESS.values()]:
            assert callable(import_string(name))
