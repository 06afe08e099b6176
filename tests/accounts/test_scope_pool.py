"""The tenant scope over a connection pool: what one request leaves behind, the next must not see."""

import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.models import Item

ROUNDS = 60


@pytest.fixture
def pooled(cast, committed_db):
    """The app's connections come from a pool of two, as in a web process but scarcer."""
    alias: Any = connections["default"]
    alias.close()
    before = {**alias.settings_dict, "OPTIONS": dict(alias.settings_dict["OPTIONS"])}
    alias.settings_dict["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 2, "timeout": 10}
    alias.settings_dict["CONN_MAX_AGE"] = 0
    yield cast
    alias.close()
    alias.close_pool()
    alias.settings_dict.update(before)


def in_threads(work, count):
    errors = []

    def run(number):
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001  # raised again below, in the test's own thread
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class TestPool:
    @pytest.mark.slow
    def test_interleaved_threads_of_two_tenants_see_their_own_rows_only(self, pooled):
        members = (pooled.acme, pooled.globex)
        for member in members:
            with scope.tenant(member.tenant.pk):
                Item.objects.create(tenant=member.tenant, item_id=member.tenant.slug)
        connection.close()

        def work(number):
            member = members[number % 2]
            for turn in range(ROUNDS):
                if turn % 7 == 3:  # some end badly
                    with pytest.raises(ZeroDivisionError), scope.tenant(member.tenant.pk):
                        raise ZeroDivisionError
                with scope.tenant(member.tenant.pk):
                    seen = list(Item.objects.values_list("item_id", flat=True))
                    assert seen == [member.tenant.slug]
                assert Item.objects.count() == 0
                connection.close()  # back to the pool, as at the end of a request

        in_threads(work, 4)

    def test_a_scope_that_was_left_by_an_error_of_the_database_is_closed(self, pooled):
        for _ in range(4):
            with pytest.raises(Exception, match="division by zero"), scope.all_tenants("test"):
                connection.cursor().execute("SELECT 1/0")
            assert Tenant.objects.count() == 0
            connection.close()

    def test_a_transaction_without_a_scope_sees_nothing_after_one_with(self, pooled):
        with scope.all_tenants("test"):
            assert Tenant.objects.count() == 2
        connection.close()
        with transaction.atomic():
            assert Tenant.objects.count() == 0


class TestRollback:
    def test_a_scope_inside_a_transaction_that_is_to_roll_back_ends_quietly(self, cast):
        with scope.all_tenants("test"), transaction.atomic(), scope.tenant(cast.acme.tenant.pk):
            Item.objects.create(tenant=cast.acme.tenant, item_id="lost")
            transaction.set_rollback(True)

        with scope.tenant(cast.acme.tenant.pk):
            assert not Item.objects.filter(item_id="lost").exists()
