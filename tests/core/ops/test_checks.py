"""System checks, by id."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from psycopg import sql

from core.ops import checks


def ids(databases=None):
    return {found.id for found in run_checks(databases=databases) if found.id and found.id.startswith("core.")}


@pytest.fixture
def production(settings):
    """As in production, with everything in order."""
    settings.PRODUCTION = True
    settings.SECRET_KEY = "k" * 64
    settings.ALLOWED_HOSTS = ["api.example.org"]
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example.org", "https://shop.example.org:8443"]
    settings.WEBHOOK_ALLOW_LOCAL = False
    return settings


class TestServers:
    def test_all_is_well(self, production):
        assert ids() == set()

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("DATABASE_URL", "", checks.NO_DATABASE),
            ("REDIS_URL", "", checks.NO_REDIS),
            ("REDIS_URL", "http://a", checks.BAD_REDIS_URL),
            ("REDIS_URL", "sentinel://a:1", checks.BAD_REDIS_URL),
            ("CELERY_BROKER_URL", "cluster://a:1", checks.BAD_BROKER_URL),
            ("CELERY_BROKER_URL", "amqp://a", checks.BAD_BROKER_URL),
        ],
    )
    def test_nonsense(self, production, name, value, expected):
        setattr(production, name, value)

        assert expected in ids()

    def test_a_cluster_is_not_connected_to(self, production):
        production.REDIS_URL = "cluster://10.255.255.1:6379"

        assert ids() == set()


class TestPublishedKey:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "docent.example.org"])
    def test_is_refused_on_an_address_that_others_reach(self, settings, host):
        settings.SECRET_KEY_IS_PUBLIC, settings.LISTEN_HOST = True, host

        assert ids() == {checks.PUBLIC_SECRET_KEY}

    def test_may_serve_the_loopback_address(self, settings):
        settings.SECRET_KEY_IS_PUBLIC, settings.LISTEN_HOST = True, "127.0.0.1"

        assert ids() == set()

    def test_is_known_by_the_development_settings(self, tmp_path):
        environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
        run = subprocess.run(
            [sys.executable, "-c", "from config.settings import dev; print(dev.SECRET_KEY_IS_PUBLIC)"],
            env={**environment, "VAR_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert run.stdout.strip() == "True", run.stderr


class TestRoles:
    def test_one_role_for_both(self, production, monkeypatch):
        monkeypatch.setitem(production.DATABASES["owner"], "USER", production.DATABASES["default"]["USER"])

        assert ids() == {checks.ONE_ROLE}

    def test_the_app_s_role_is_bound(self, db, production):
        assert ids(databases=["default"]) == set()

    def test_a_role_that_row_level_security_does_not_bind(self, committed_db, production):
        connections["default"].close()
        settings = connections["default"].settings_dict
        before = {name: settings[name] for name in ("USER", "PASSWORD")}
        settings.update({name: connections["owner"].settings_dict[name] for name in before})
        try:
            found = list(checks.app_role_is_bound(databases=["default"]))
        finally:
            connections["default"].close()
            settings.update(before)

        assert [each.id for each in found] == [checks.EXEMPT_ROLE]
        assert "owns tables" in found[0].msg

    def test_a_database_that_is_away_is_no_misconfiguration(self, committed_db, production):
        connections["default"].close()
        settings = connections["default"].settings_dict
        before = settings["PORT"]
        settings["PORT"] = 1
        try:
            assert checks.app_role_is_bound(databases=["default"]) == []
        finally:
            connections["default"].close()
            settings["PORT"] = before


class TestOrigins:
    @pytest.mark.parametrize(
        "origin",
        [
            "*",
            "https://*",
            "https://*.example.org",
            "null",
            "http://shop.example.org",
            "https://localhost",
            "https://localhost:3000",
            "https://127.0.0.1",
            "https://[::1]",
            "https://10.0.0.7",
            "https://192.168.1.1:8443",
            "https://shop.local",
            "https://dev.localhost",
            "https://shop",
            "https://shop.example.org/",
            "https://shop.example.org/path",
            "https://user@shop.example.org",
            "https://shop.example.org:port",
            "https://shop.example.org:",
            "https://",
            "shop.example.org",
            "ftp://shop.example.org",
            "https://shop.example.org?x",
            "https://shop.example.org#x",
        ],
    )
    def test_production_refuses(self, production, origin):
        production.CORS_ALLOWED_ORIGINS = [origin]

        assert checks.BAD_ORIGIN in ids()

    @pytest.mark.parametrize(
        ("name", "value"),
        [("CORS_ALLOW_ALL_ORIGINS", True), ("CORS_ALLOWED_ORIGIN_REGEXES", [r"^https://.*\.example\.org$"])],
    )
    def test_production_refuses_what_is_no_list(self, production, name, value):
        setattr(production, name, value)

        assert checks.BAD_ORIGIN in ids()

    def test_elsewhere_a_local_one_is_welcome(self, settings):
        settings.PRODUCTION = False
        settings.CORS_ALLOWED_ORIGINS = ["http://localhost:3000"]

        assert checks.BAD_ORIGIN not in ids()


class TestSecretsAndHosts:
    @pytest.mark.parametrize("value", ["", "short", "x" * 49])
    def test_a_weak_key(self, production, value):
        production.SECRET_KEY = value

        assert checks.BAD_SECRET_KEY in ids()

    def test_no_hosts(self, production):
        production.ALLOWED_HOSTS = []

        assert checks.NO_HOSTS in ids()

    def test_any_host(self, production):
        production.ALLOWED_HOSTS = ["*"]

        assert checks.ANY_HOST in ids()


class TestShares:
    def test_a_process_that_takes_itself_for_one_of_fewer(self, production):
        production.WEB_CONCURRENCY, production.RATE_LIMIT_PROCESSES = 4, 2

        assert ids() == {checks.TOO_FEW_PROCESSES}


class TestRefuseToStart:
    def test_passes_when_all_is_well(self, committed_db, production):
        checks.refuse_to_start()

    def test_says_everything_that_is_wrong(self, committed_db, production):
        production.ALLOWED_HOSTS = []
        production.CORS_ALLOWED_ORIGINS = ["*"]

        with pytest.raises(ImproperlyConfigured, match=r"(?s)core\.E00[47].*core\.E00[47]"):
            checks.refuse_to_start()


def test_the_roles_of_the_embedded_servers_hold_no_more_than_they_need(committed_db, settings):
    with psycopg.connect(settings.DATABASE_OWNER_URL) as owner:
        found = owner.execute(
            sql.SQL("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname IN ({}, {})").format(
                sql.Literal(settings.DATABASES["default"]["USER"]), sql.Literal(settings.DATABASES["owner"]["USER"])
            )
        ).fetchall()

    assert found == [(False, False, False)] * 2


def test_webhooks_that_may_go_behind_our_walls(production):
    production.WEBHOOK_ALLOW_LOCAL = True

    assert checks.LOCAL_WEBHOOKS in ids()


class TestThreads:
    def test_that_all_may_wait_for_postgresql_is_warned_of(self, settings):
        from core.postgres.checks import a_thread_is_left_while_postgresql_hangs as check

        settings.DB_POOL, settings.WEB_THREADS, settings.DB_WAITING_THREADS = True, 4, 4
        (warning,) = check()
        assert (warning.id, "DB_WAITING_THREADS" in str(warning.hint)) == ("core.W008", True)
        settings.DB_WAITING_THREADS = 3
        assert check() == []
        settings.DB_POOL, settings.DB_WAITING_THREADS = False, 99
        assert check() == []
