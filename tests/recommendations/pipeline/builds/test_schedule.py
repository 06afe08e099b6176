"""Tenants that are due for a build."""

from datetime import timedelta

import pytest

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.errors import NotFound
from recommendations.models import Build
from recommendations.pipeline.builds import lifecycle, schedule
from recommendations.pipeline.task_names import TRAIN
from tests.recommendations.pipeline.queue import sent


def builds(tenant):
    with scope.tenant(tenant.pk):
        return list(Build.objects.order_by("pk").values_list("reason", "status"))


def end(tenant, status):
    with scope.tenant(tenant.pk):
        Build.objects.update(status=status)


class TestNightly:
    def test_builds_for_active_tenants_with_data_only(self, acme, cast):
        assert schedule.plan_nightly(now=clock.now()) == 1

        assert builds(acme) == [("nightly", "training")]
        assert builds(cast.globex.tenant) == []
        assert [message["tenant_id"] for message in sent(TRAIN)] == [acme.pk]

    def test_an_inactive_tenant_waits(self, acme):
        with scope.all_tenants("test"):
            Tenant.objects.filter(pk=acme.pk).update(active=False)

        assert schedule.plan_nightly(now=clock.now()) == 0
        with pytest.raises(NotFound):
            lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())

    def test_a_message_that_comes_twice_builds_once(self, acme):
        now = clock.now()
        schedule.plan_nightly(now=now)
        assert schedule.plan_nightly(now=now) == 0
        end(acme, "published")

        assert schedule.plan_nightly(now=now + timedelta(minutes=5)) == 0
        assert schedule.plan_nightly(now=now + timedelta(days=1)) == 1

        assert builds(acme) == [("nightly", "published"), ("nightly", "training")]


class TestFirst:
    def test_builds_when_data_has_come(self, acme):
        assert schedule.plan_first(tenant_id=acme.pk, now=clock.now())
        assert not schedule.plan_first(tenant_id=acme.pk, now=clock.now())

        assert builds(acme) == [("first data", "training")]

    def test_not_without_data(self, committed_db, cast):
        assert not schedule.plan_first(tenant_id=cast.globex.tenant.pk, now=clock.now())

    @pytest.mark.parametrize(("status", "again"), [("published", False), ("failed", True)])
    def test_only_where_none_has_succeeded(self, acme, status, again):
        schedule.plan_first(tenant_id=acme.pk, now=clock.now())
        end(acme, status)

        assert schedule.plan_first(tenant_id=acme.pk, now=clock.now()) is again
