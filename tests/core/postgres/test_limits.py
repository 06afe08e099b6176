"""Time limits that a transaction sets on the server."""

import time
from typing import Any, cast

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from accounts.tenancy import scope
from core import deadline


def ask(statement="SELECT 1"):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


class TestTimeLimitOnTheServer:
    def test_a_scope_tells_postgresql_what_is_left(self, cast):
        with deadline.within(3), scope.tenant(cast.acme.tenant.pk):
            told = ask("SHOW statement_timeout"), ask("SHOW idle_in_transaction_session_timeout")

        assert all(2000 < int(each.removesuffix("ms")) <= 3000 for each in told if each.endswith("ms")), told

    def test_it_ends_with_the_transaction(self, committed_db):
        with deadline.within(3), scope.all_tenants("test"):
            pass

        assert ask("SHOW statement_timeout") == "0"

    def test_workers_have_their_own(self, committed_db, settings):
        settings.DB_STATEMENT_TIMEOUT_SECONDS = 7.0
        with scope.all_tenants("test"):
            assert ask("SHOW statement_timeout") == "7s"
        settings.DB_STATEMENT_TIMEOUT_SECONDS = 0.0
        with scope.all_tenants("test"):
            assert ask("SHOW statement_timeout") == "0"

    def test_the_server_is_the_first_to_end_a_statement_and_the_connection_stays(self, proxy):
        def work():
            with scope.all_tenants("test"):
                ask("SELECT pg_sleep(5)")

        ask()
        used = connection.connection
        with pytest.raises(OperationalError, match="statement timeout"), deadline.within(0.6):
            work()

        assert not used.closed
        assert ask() == 1

    def test_a_statement_outside_a_transaction_is_cancelled(self, proxy):
        ask()
        with pytest.raises(OperationalError), deadline.within(0.3):
            ask("SELECT pg_sleep(5.5)")
        connection.close()

        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(5.5)%' AND state = 'active'"
        gone_by = time.monotonic() + 3
        while ask(running):
            assert time.monotonic() < gone_by
            time.sleep(0.05)


def test_no_parameter_of_the_session_is_set_at_start_up():
    """PgBouncer refuses them, and what is set for a session stays for its next client."""
    assert "options" not in cast(dict[str, Any], settings.DATABASES["default"]["OPTIONS"])


def test_a_dead_peer_is_noticed_by_default():
    for name in ("default", "owner"):
        options = cast(dict[str, int], settings.DATABASES[name]["OPTIONS"])
        assert options["keepalives"] == 1
        assert 0 < options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] <= 30
        assert 0 < options["tcp_user_timeout"] <= 30_000
