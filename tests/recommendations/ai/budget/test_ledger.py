"""The ledger of calls: it reconciles with the budgets, and old calls are deleted."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from recommendations.ai.budget import ledger
from recommendations.ai.budget.reservations import Budget
from tests.recommendations.ai.budget.bookings import LIMITS, NOW, make_call, reserve, settle


class TestReconcile:
    def test_finds_nothing_while_all_is_well(self, tenant_id):
        budget = Budget(limits=LIMITS)
        for tokens in (10, 20):
            settle(budget, reserve(budget, tenant_id), tokens=tokens, nano_usd=tokens)
        reserve(budget, tenant_id)

        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []

    def test_finds_a_call_that_nobody_paid_for(self, tenant_id):
        budget = Budget(limits=LIMITS)
        settle(budget, reserve(budget, tenant_id), tokens=10, nano_usd=7)
        with scope.tenant(tenant_id):
            make_call(tenant_id, tokens=5, nano_usd=1).save()

        found = ledger.reconcile(since=NOW.date().replace(day=1))

        assert [(each.tenant_id, each.period, each.budget.nano_usd, each.ledger.nano_usd) for each in found] == [
            (tenant_id, "day", 7, 8),
            (tenant_id, "month", 7, 8),
            (None, "month", 7, 8),
        ]


class TestPurge:
    def test_deletes_what_is_older_than_the_retention(self, tenant_id):
        with scope.tenant(tenant_id):
            for days in (0, 62, 63):
                make_call(tenant_id, tokens=1, nano_usd=1, now=NOW - timedelta(days=days)).save()

        assert ledger.purge(now=NOW, keep_days=62) == 1

    def test_refuses_to_delete_what_must_still_reconcile(self):
        with pytest.raises(ValueError, match="at least 62"):
            ledger.purge(now=NOW, keep_days=30)
