"""Facts of the domain become messages to those who listen: quotas, budgets."""

import json
from datetime import UTC, datetime

import pytest

from accounts.limits import usage
from accounts.models import Plan
from accounts.tenancy import scope
from core.ratelimit import quota
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.ai.budget.reservations import Budget, BudgetExhausted
from recommendations.ai.models import AICall
from recommendations.ai.money import Amount, BudgetLimit, BudgetLimits

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def listen(tenant, *events):
    with scope.tenant(tenant.pk):
        WebhookEndpoint.objects.create(tenant_id=tenant.pk, url="https://hooks.example.org/", events=list(events))


def told(tenant):
    with scope.tenant(tenant.pk):
        return [
            (delivery.type, json.loads(delivery.body)["data"])
            for delivery in WebhookDelivery.objects.filter(tenant_id=tenant.pk).order_by("pk")
        ]


def test_a_quota_at_80_and_at_100_percent(cast):
    tenant = cast.acme.tenant
    listen(tenant, "quota.warning", "quota.exhausted")
    listen(cast.globex.tenant, "quota.warning", "quota.exhausted")
    with scope.all_tenants("test: a quota"):
        Plan.objects.update(requests_per_month=100)
    for units in (79, 1, 19, 1):
        quota.add(tenant_id=tenant.pk, month="2026-11", units=units)
        usage.flush(now=NOW)

    assert [(kind, data["percent"], data["used"]) for kind, data in told(tenant)] == [
        ("quota.warning", 80, 80),
        ("quota.exhausted", 100, 100),
    ]
    assert told(cast.globex.tenant) == []


def test_an_ai_budget_at_80_and_at_100_percent(committed_db, cast):
    tenant = cast.acme.tenant
    listen(tenant, "budget.warning", "budget.exhausted")
    budget = Budget(limits=BudgetLimits(tenant_day=BudgetLimit(tokens=1000)))
    for tokens in (700, 100, 200):
        held = budget.reserve(tenant_id=tenant.pk, amount=Amount(tokens=tokens), now=NOW, deadline_seconds=5)
        call = AICall(tenant_id=tenant.pk, day=held.day, at=NOW, outcome="ok", latency_ms=1, simulated=False)
        budget.settle(held, spent=Amount(tokens=tokens), call=call)
    with pytest.raises(BudgetExhausted):
        budget.reserve(tenant_id=tenant.pk, amount=Amount(tokens=1), now=NOW, deadline_seconds=5)

    assert [(kind, data["budget"], data["spent"]["tokens"]) for kind, data in told(tenant)] == [
        ("budget.warning", "tenant_day", 800),
        ("budget.exhausted", "tenant_day", 1000),
    ]
