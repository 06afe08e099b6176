"""Deletion in batches: all that matches and nothing else, and never in the way of other transactions."""

import functools
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from accounts.tenancy import scope
from core.idempotency.models import IdempotencyKey
from core.postgres.batches import delete_in_batches
from tests.core.idempotency.conftest import ACME, GLOBEX

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ALL_TENANTS = functools.partial(scope.all_tenants, "test")


def expired():
    return IdempotencyKey.objects.filter(expires_at__lte=NOW).order_by("expires_at")


@pytest.fixture
def rows(committed_db):
    """Seven expired keys of acme, and one that is valid."""
    with scope.tenant(ACME):
        for number in range(8):
            IdempotencyKey.objects.create(
                tenant_id=ACME,
                client_id="shop",
                key=str(number),
                fingerprint=b"",
                state=IdempotencyKey.State.IN_FLIGHT,
                token=uuid.uuid4(),
                locked_until=NOW,
                created_at=NOW - timedelta(days=8),
                expires_at=NOW - timedelta(days=7 - number, microseconds=-1),
            )


def remaining():
    with ALL_TENANTS():
        return list(IdempotencyKey.objects.order_by("key").values_list("key", flat=True))


@pytest.mark.usefixtures("rows")
class TestDeleteInBatches:
    @pytest.mark.parametrize("batch_rows", [1, 2, 3, 7, 100])
    def test_it_deletes_the_matching_rows_in_batches_of_any_size(self, batch_rows):
        assert delete_in_batches(expired(), scope=ALL_TENANTS, batch_rows=batch_rows) == 7
        assert remaining() == ["7"]

    def test_it_deletes_in_the_given_order_and_stops_after_max_batches(self):
        assert delete_in_batches(expired(), scope=ALL_TENANTS, batch_rows=2, max_batches=2) == 4
        assert remaining() == ["4", "5", "6", "7"]

    def test_it_deletes_only_rows_of_the_scope(self):
        assert delete_in_batches(expired(), scope=functools.partial(scope.tenant, GLOBEX)) == 0
        assert delete_in_batches(expired(), scope=functools.partial(scope.tenant, ACME)) == 7

    def test_it_skips_rows_that_another_transaction_has_locked(self):
        with connections["owner"].cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT set_config('docent.scope', 'all', true)")
            cursor.execute("SELECT 1 FROM core_idempotencykey WHERE key IN ('0', '3') FOR UPDATE")
            try:
                deleted = delete_in_batches(expired(), scope=ALL_TENANTS, batch_rows=2)
            finally:
                cursor.execute("ROLLBACK")

        assert deleted == 5
        assert remaining() == ["0", "3", "7"]

    def test_it_commits_each_batch(self):
        seen = []

        def counted():
            seen.append(connection.in_atomic_block)
            return ALL_TENANTS()

        delete_in_batches(expired(), scope=counted, batch_rows=3)

        assert seen == [False, False, False]
