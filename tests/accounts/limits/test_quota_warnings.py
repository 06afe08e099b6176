"""Warnings at 80 and 100 % of the month's requests."""

from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from accounts.limits import usage
from accounts.models import Plan, QuotaWarning
from accounts.tenancy import scope
from core.ratelimit import quota
from core.webhooks.models import WebhookDelivery, WebhookEndpoint

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MONTH = "2026-11"


def plan(tenant, requests):
    with scope.all_tenants("test: a quota"):
        tenant.plan, _ = Plan.objects.update_or_create(
            name=f"of {tenant.slug}", defaults={"requests_per_month": requests}
        )
        tenant.save(update_fields=["plan"])


def use(tenant, units, month=MONTH):
    quota.add(tenant_id=tenant.pk, month=month, units=units)
    usage.flush(now=NOW)


def given(tenant):
    with scope.tenant(tenant.pk):
        return list(QuotaWarning.objects.order_by("pk").values_list("month", "percent", "quota", "used"))


@pytest.fixture
def acme(cast):
    plan(cast.acme.tenant, 100)
    return cast.acme.tenant


class TestIssueWarnings:
    def test_at_80_and_at_100_percent_once_each(self, acme):
        use(acme, 79)
        assert given(acme) == []

        use(acme, 1)
        use(acme, 5)
        assert given(acme) == [(MONTH, 80, 100, 80)]

        use(acme, 15)
        use(acme, 1)
        assert given(acme) == [(MONTH, 80, 100, 80), (MONTH, 100, 100, 100)]

    def test_both_where_one_flush_finds_all_used(self, acme):
        use(acme, 120)

        assert [percent for _, percent, _, _ in given(acme)] == [80, 100]

    def test_is_the_tenant_s_alone(self, acme, cast):
        plan(cast.globex.tenant, 1000)
        use(cast.globex.tenant, 100)
        use(acme, 80)

        assert (len(given(acme)), given(cast.globex.tenant)) == (1, [])

    def test_without_a_quota_there_is_none(self, acme):
        plan(acme, None)
        use(acme, 10**6)

        assert given(acme) == []

    def test_a_smaller_plan_warns_although_nothing_moved(self, acme):
        use(acme, 50)
        plan(acme, 60)
        usage.flush(now=NOW)

        assert given(acme) == [(MONTH, 80, 60, 50)]

    def test_the_last_requests_of_a_month_count_after_it(self, acme):
        use(acme, 100, month="2026-10")

        assert [(month, percent) for month, percent, _, _ in given(acme)] == [("2026-10", 80), ("2026-10", 100)]

    def test_a_month_that_is_over_is_left_alone(self, acme):
        use(acme, 50, month="2026-10")
        plan(acme, 60)
        usage.flush(now=NOW)

        assert given(acme) == []


class TestWebhooks:
    def test_each_warning_is_sent_once(self, acme):
        with scope.tenant(acme.pk):
            WebhookEndpoint.objects.create(
                tenant_id=acme.pk, url="https://example.com/hook", events=["quota.warning", "quota.exhausted"]
            )
        use(acme, 100)
        use(acme, 1)

        with scope.tenant(acme.pk):
            assert list(WebhookDelivery.objects.order_by("pk").values_list("type", flat=True)) == [
                "quota.warning",
                "quota.exhausted",
            ]

    def test_a_webhook_that_cannot_be_written_takes_its_warning_back(self, committed_db, acme, settings):
        events = settings.WEBHOOK_EVENTS
        settings.WEBHOOK_EVENTS = {}
        with pytest.raises(ValueError, match="WEBHOOK_EVENTS"):
            use(acme, 80)
        assert given(acme) == []

        settings.WEBHOOK_EVENTS = events
        usage.flush(now=NOW)

        assert len(given(acme)) == 1

    def test_it_is_counted_by_percentage(self, acme):
        def counted():
            return REGISTRY.get_sample_value("quota_warnings_total", {"percent": "80"}) or 0.0

        before = counted()
        use(acme, 80)

        assert counted() - before == 1
