"""Reserve, settle, release: no number of callers spends more than a cap, and nothing is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from accounts.tenancy import scope
from recommendations.ai.budget import ledger
from recommendations.ai.budget.alerts import BudgetAlert
from recommendations.ai.budget.reservations import GRACE_SECONDS, Budget, BudgetExhausted, release_expired
from recommendations.ai.models import AIBudget, AICall, AIGlobalBudget, AILimit, AIReservation
from recommendations.ai.money import Amount, BudgetLimit, BudgetLimits
from tests.recommendations.ai.budget.bookings import LIMITS, NOW, counters, reserve, settle


class TestReserve:
    def test_holds_the_amount_of_every_cap(self, tenant_id):
        reserve(Budget(limits=LIMITS), tenant_id)

        assert counters() == {"day": (0, 300), "month": (0, 300), "global": (0, 300)}

    @pytest.mark.parametrize("cap", ["tenant_day", "tenant_month", "global_month"])
    @pytest.mark.parametrize("limit", [BudgetLimit(tokens=299), BudgetLimit(nano_usd=89), BudgetLimit(tokens=0)])
    def test_holds_nothing_where_one_cap_has_no_room(self, tenant_id, cap, limit):
        roomy = {name: BudgetLimit() for name in ("tenant_day", "tenant_month", "global_month")}
        budget = Budget(limits=BudgetLimits(**roomy | {cap: limit}))

        with pytest.raises(BudgetExhausted) as caught:
            reserve(budget, tenant_id)

        assert caught.value.cap == cap
        assert set(counters().values()) <= {(0, 0)}

    def test_refuses_nobody_while_the_first_callers_of_a_day_make_its_rows(self, tenant_id):
        budget = Budget(limits=BudgetLimits(tenant_day=BudgetLimit(tokens=300 * 4)))

        def reserve_at_once(day: int) -> None:
            together.wait()
            try:
                reserve(budget, tenant_id, now=NOW + timedelta(days=day))
            finally:
                connection.close()

        for day in range(8):
            together = threading.Barrier(4)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(reserve_at_once, [day] * 4))

        with scope.tenant(tenant_id):
            held = AIBudget.objects.filter(period="day").values_list("reserved_tokens", flat=True)
            assert list(held) == [1200] * 8

    def test_takes_exactly_what_is_left(self, tenant_id):
        budget = Budget(limits=LIMITS)

        reserve(budget, tenant_id, Amount(tokens=999))
        reserve(budget, tenant_id, Amount(tokens=1))

        with pytest.raises(BudgetExhausted):
            reserve(budget, tenant_id, Amount(tokens=1))

    def test_starts_anew_each_day(self, tenant_id):
        budget = Budget(limits=LIMITS)
        reserve(budget, tenant_id, Amount(tokens=1000))

        reserve(budget, tenant_id, Amount(tokens=1000), now=NOW + timedelta(days=1))

        assert counters()["month"] == (0, 2000)

    def test_goes_by_the_tenants_own_limit(self, tenant_id):
        with scope.tenant(tenant_id):
            AILimit.objects.create(tenant_id=tenant_id, day_tokens=400, month_usd=Decimal("0.0000"))
        with pytest.raises(BudgetExhausted, match="tenant_month"):
            reserve(Budget(limits=LIMITS), tenant_id)

        with scope.tenant(tenant_id):
            AILimit.objects.update(month_usd=None)
        reserve(Budget(limits=LIMITS), tenant_id)

        with pytest.raises(BudgetExhausted, match="tenant_day"):
            reserve(Budget(limits=LIMITS), tenant_id)

    def test_never_overshoots_with_32_callers_at_once(self, tenant_id):
        """Each spends 170 of a reserved 300; at no moment is spent and reserved above 1,000."""
        budget = Budget(limits=LIMITS)
        seen: list[int] = []

        def call(_) -> int:
            try:
                held = reserve(budget, tenant_id)
                seen.append(sum(counters()["day"]))
                settle(budget, held, tokens=170)
            except BudgetExhausted:
                return 0
            finally:
                connection.close()
            return 170

        with ThreadPoolExecutor(32) as pool:
            spent = sum(pool.map(call, range(64)))

        assert spent > 500
        assert max(seen) <= 1000
        assert counters() == {"day": (spent, 0), "month": (spent, 0), "global": (spent, 0)}

    def test_refuses_to_work_inside_a_transaction(self, tenant_id):
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            reserve(Budget(limits=LIMITS), tenant_id)


class TestGuardOff:
    def test_check_then_write_would_overshoot(self, tenant_id):
        """The race is real: without the condition in the UPDATE the same callers pass the cap."""
        budget = Budget(limits=LIMITS)
        settle(budget, reserve(budget, tenant_id), tokens=0)

        everybody_has_read = threading.Barrier(8)

        def call(_) -> None:
            with scope.tenant(tenant_id):
                row = AIBudget.objects.get(period="day")
                everybody_has_read.wait()
                if row.spent_tokens + 300 <= 1000:
                    AIBudget.objects.filter(pk=row.pk).update(spent_tokens=row.spent_tokens + 300)
                    calls.append(300)
            connection.close()

        calls: list[int] = []
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(call, range(8)))

        assert sum(calls) > 1000


class TestSettle:
    def test_replaces_the_bound_by_what_was_spent(self, tenant_id):
        budget = Budget(limits=LIMITS)

        settle(budget, reserve(budget, tenant_id), tokens=120, nano_usd=33)

        assert counters()["day"] == (120, 0)
        with scope.tenant(tenant_id):
            assert AICall.objects.get().cost_nano_usd == 33
            assert not AIReservation.objects.exists()

    def test_release_gives_everything_back_once(self, tenant_id):
        budget = Budget(limits=LIMITS)
        held = reserve(budget, tenant_id)

        assert budget.release(held) is True
        assert budget.release(held) is False
        assert counters()["day"] == (0, 0)

    def test_counts_what_was_spent_after_the_reservation_had_expired(self, tenant_id):
        budget = Budget(limits=LIMITS)
        held = reserve(budget, tenant_id)
        assert release_expired(limits=LIMITS, now=NOW + timedelta(hours=1)) == 1

        settle(budget, held, tokens=120)

        assert counters() == {"day": (120, 0), "month": (120, 0), "global": (120, 0)}
        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []


class TestExpiry:
    def test_leaves_calls_under_way_alone(self, tenant_id):
        reserve(Budget(limits=LIMITS), tenant_id)

        assert release_expired(limits=LIMITS, now=NOW + timedelta(seconds=20 + GRACE_SECONDS - 1)) == 0

    def test_comes_back_when_somebody_needs_the_room(self, tenant_id):
        """A process died in its call; nobody ran the job."""
        budget = Budget(limits=LIMITS)
        reserve(budget, tenant_id, Amount(tokens=900))
        later = NOW + timedelta(seconds=21 + GRACE_SECONDS)

        reserve(budget, tenant_id, now=later)

        assert counters()["day"] == (0, 300)


class TestAlerts:
    def test_tells_once_at_80_percent_and_once_when_it_is_spent(self, tenant_id):
        alerts: list[BudgetAlert] = []
        budget = Budget(limits=LIMITS, hooks=[alerts.append])

        for tokens in (790, 10, 100):
            settle(budget, reserve(budget, tenant_id, Amount(tokens=tokens)), tokens=tokens)
        for _ in range(2):
            with pytest.raises(BudgetExhausted):
                reserve(budget, tenant_id)

        assert [(each.level, each.cap, each.spent.tokens) for each in alerts] == [
            ("soft", "tenant_day", 800),
            ("hard", "tenant_day", 900),
        ]
        assert (alerts[0].tenant_id, alerts[0].limit) == (tenant_id, BudgetLimit(tokens=1000))

    def test_is_silent_where_calls_under_way_hold_the_room(self, tenant_id):
        alerts: list[BudgetAlert] = []
        budget = Budget(limits=LIMITS, hooks=[alerts.append])
        reserve(budget, tenant_id, Amount(tokens=900))

        with pytest.raises(BudgetExhausted):
            reserve(budget, tenant_id)

        assert alerts == []


class TestTenants:
    def test_a_stranger_sees_neither_budget_nor_ledger(self, tenant_id):
        budget = Budget(limits=LIMITS)
        settle(budget, reserve(budget, tenant_id), tokens=10)
        reserve(budget, tenant_id)

        with scope.tenant(tenant_id + 1):
            assert not AIBudget.objects.exists()
            assert not AICall.objects.exists()
            assert not AIReservation.objects.exists()
            assert AIGlobalBudget.objects.exists()
