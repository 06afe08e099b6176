"""A PostgreSQL that hangs, is cut off, or takes too long, behind a real proxy."""

import threading
import time
from typing import Any, cast

import pytest
from django.db import OperationalError, connection, connections

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from core import deadline
from core.postgres.guard import STALLED_SECONDS
from core.postgres.pool import release_connection
from recommendations.models import Item


def ask(statement="SELECT 1"):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def seconds_of(work, *, within):
    """The seconds until it was given up."""
    started = time.monotonic()
    with pytest.raises(OperationalError), deadline.within(within):
        work()
    return time.monotonic() - started


class TestHangs:
    def test_the_client_gives_up_at_the_deadline_and_throws_the_connection_away(self, proxy):
        assert ask() == 1
        used, pool = connection.connection, cast(Any, connection).pool
        proxy.hang()

        took = seconds_of(ask, within=0.6)

        assert 0.5 < took < 1.0
        assert used.closed
        connection.close()
        assert used not in list(pool._pool)

    def test_so_does_a_transaction_in_the_middle(self, proxy):
        def work():
            with scope.all_tenants("test"):
                Tenant.objects.count()
                proxy.hang()
                Tenant.objects.count()

        assert seconds_of(work, within=0.6) < 1.2

    def test_nothing_more_is_asked_when_the_time_is_up(self, proxy):
        assert ask() == 1
        started = time.monotonic()
        with pytest.raises(OperationalError, match="time is up"), deadline.within(0):
            ask()
        assert time.monotonic() - started < 0.1

    def test_it_works_again_when_the_server_goes_on(self, proxy):
        ask()
        proxy.hang()
        seconds_of(ask, within=0.3)
        connection.close()
        proxy.go_on()

        deadline_of_test = time.monotonic() + 5
        while True:
            try:
                with deadline.within(2):
                    assert ask() == 1
                break
            except OperationalError:
                assert time.monotonic() < deadline_of_test
                connection.close()

    def test_no_more_threads_than_may_wait_and_the_others_are_refused_quickly(self, proxy, settings):
        settings.DB_WAITING_THREADS = 2
        ask()
        connection.close()
        proxy.hang()
        took = []

        def work():
            took.append(seconds_of(ask, within=4))
            connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        refused = [each for each in took if each < STALLED_SECONDS + 0.5]
        assert len(refused) >= 4
        assert max(took) < 4.5

    def test_after_some_failures_nobody_asks_for_a_moment(self, proxy):
        ask()
        proxy.hang()
        for _ in range(3):
            seconds_of(ask, within=0.2)
            connection.close()

        assert seconds_of(ask, within=5) < 0.1

    def test_a_place_is_given_back_before_something_long(self, proxy, settings):
        settings.DB_WAITING_THREADS = 1
        found = []

        def work():
            with deadline.within(5):
                found.append(ask())
            connections.close_all()

        with deadline.within(5):
            ask()
            release_connection()
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert found == [1]
            assert ask() == 1

    def test_a_thread_in_the_background_takes_nobodys_place_and_gives_up_as_well(self, proxy, settings):
        settings.DB_WAITING_THREADS = 1
        ask()
        connection.close()
        proxy.hang()
        started = time.monotonic()
        with pytest.raises(OperationalError), deadline.within(0.5, background=True):
            ask()
        assert 0.4 < time.monotonic() - started < 1.5
        connection.close()
        proxy.go_on()
        with deadline.within(5):
            assert ask() == 1

    def test_without_a_deadline_nobody_is_refused(self, proxy, settings):
        """Background threads, commands and workers have time limits of their own."""
        settings.DB_WAITING_THREADS = 1
        with deadline.within(5):
            assert ask() == 1  # holds the only place until it gives its connection back
            found = []

            def work():
                found.append(ask())
                connections.close_all()

            thread = threading.Thread(target=work)
            thread.start()
            thread.join(5)

        assert found == [1]


class TestWaiting:
    def test_a_place_is_waited_for_while_the_others_get_on(self, proxy, settings):
        settings.DB_WAITING_THREADS = 1
        found, errors = [], []

        def work():
            try:
                with deadline.within(10):
                    for _ in range(4):
                        ask("SELECT pg_sleep(0.05)")
                    found.append(1)
            except OperationalError as error:
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (len(found), errors) == (5, [])


class TestCut:
    def test_a_restart_is_not_noticed_by_whoever_comes_next(self, proxy):
        for _ in range(3):
            ask()
            connection.close()
        proxy.cut()
        time.sleep(0.05)

        for _ in range(6):
            with deadline.within(5):
                assert ask() == 1
            connection.close()

    def test_what_runs_while_it_is_cut_fails_and_the_next_does_not(self, proxy):
        def work():
            with scope.all_tenants("test"):
                Tenant.objects.count()
                proxy.cut()
                time.sleep(0.05)
                Tenant.objects.count()

        with pytest.raises(OperationalError):
            work()
        connection.close()

        with deadline.within(5):
            assert ask() == 1


class TestCutInTheMiddleOfARequest:
    @pytest.mark.parametrize(("method", "status"), [("get", 200), ("delete", 503)])
    def test_a_read_is_tried_once_more_and_a_write_is_not(self, cast, proxy, method, status):
        tenant_cache.load()
        with scope.tenant(cast.acme.tenant.pk):
            Item.objects.create(tenant=cast.acme.tenant, item_id="a", title="A")
        cuts: list[str] = []

        def cut_once(execute, sql, params, many, context):
            if "recommendations_item" in sql and not cuts:
                cuts.append(sql)
                proxy.cut()
                time.sleep(0.05)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(cut_once):
            answer = getattr(cast.acme.http, method)("/api/v1/items/a")

        assert (answer.status_code, len(cuts)) == (status, 1)
        connection.close()
        assert cast.acme.http.get("/api/v1/items/a").status_code == 200
