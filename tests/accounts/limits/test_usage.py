"""Monthly usage on its way to Postgres and back."""

from datetime import UTC, datetime

import pytest

from accounts.limits import usage
from accounts.models import TenantUsage
from accounts.tenancy import scope
from core import redis
from core.ratelimit import keys, quota
from tests.outages import redis_away
from workers.tasks.usage import flush

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MONTH = "2026-11"


def kept():
    with scope.all_tenants("test: usage"):
        return {(row.tenant.slug, row.month): row.used for row in TenantUsage.objects.select_related("tenant")}


@pytest.fixture
def acme(cast):
    return cast.acme.tenant


class TestFlush:
    def test_writes_what_has_moved_and_only_that(self, acme, cast):
        quota.add(tenant_id=acme.pk, month=MONTH, units=5)
        quota.add(tenant_id=acme.pk, month="2026-10", units=7)

        assert usage.flush(now=NOW) == 2
        assert kept() == {("acme", MONTH): 5, ("acme", "2026-10"): 7}
        assert usage.flush(now=NOW) == 0

        quota.add(tenant_id=cast.globex.tenant.pk, month=MONTH, units=1)
        quota.add(tenant_id=acme.pk, month=MONTH, units=2)
        assert usage.flush(now=NOW) == 2
        assert kept()[("acme", MONTH)] == 7

    def test_killed_before_it_settled_writes_the_same_again(self, acme):
        quota.add(tenant_id=acme.pk, month=MONTH, units=5)
        usage._write(list(quota.drain(tenant_ids=[acme.pk])))

        usage.flush(now=NOW)

        assert kept() == {("acme", MONTH): 5}

    def test_a_loss_of_redis_lowers_nothing_and_redis_gets_it_back(self, acme):
        quota.add(tenant_id=acme.pk, month=MONTH, units=100)
        usage.flush(now=NOW)
        redis.client().flushdb()
        quota.add(tenant_id=acme.pk, month=MONTH, units=3)

        usage.flush(now=NOW)

        assert kept() == {("acme", MONTH): 100}
        assert int(redis.client().get(keys.quota(acme.pk, MONTH))) == 100
        assert quota.add(tenant_id=acme.pk, month=MONTH, units=1) == 101

    def test_without_redis_nothing_is_lost(self, acme):
        quota.add(tenant_id=acme.pk, month=MONTH, units=5)
        with redis_away(), pytest.raises(redis.RedisUnavailable):
            usage.flush(now=NOW)

        assert usage.flush(now=NOW) == 1
        assert kept() == {("acme", MONTH): 5}

    def test_is_a_task(self, committed_db, acme):
        quota.add(tenant_id=acme.pk, month=MONTH, units=5)

        flush()

        assert kept() == {("acme", MONTH): 5}


class TestScope:
    def test_a_stranger_sees_nothing(self, acme, cast):
        quota.add(tenant_id=acme.pk, month=MONTH, units=5)
        usage.flush(now=NOW)

        with scope.tenant(cast.globex.tenant.pk):
            assert not TenantUsage.objects.exists()
