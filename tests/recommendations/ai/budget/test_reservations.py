"""Reserve, settle, release: no number of callers spends more than a cap, and nothing is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from accounts.tenancy import scope
from recommendations.ai.budget import ledger
from recommendations.ai.budget.reservations import (
    GRACE_SECONDS,
    Budget,
    BudgetAlert,
    BudgetExhausted,
    Reservation,
    release_expired,
)
from recommendations.ai.models import AIBudget, AICall, AIGlobalBudget, AILimit, AIReservation, BudgetCounters
from recommendations.ai.money import Amount, BudgetLimit, BudgetLimits

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = BudgetLimits(
    tenant_day=BudgetLimit(tokens=1000), tenant_month=BudgetLimit(tokens=5000), global_month=BudgetLimit(tokens=9000)
)
CALL = Amount(tokens=300, nano_usd=90)


def _call(tenant_id: int, *, tokens: int, nano_usd: int, now=NOW) -> AICall:
    return AICall(
        tenant_id=tenant_id,
        day=now.date(),
        at=now,
        purpose="test",
        model="m",
        outcome="ok",
        input_tokens=tokens,
        cost_nano_usd=nano_usd,
        latency_ms=5,
        simulated=True,
    )


def _reserve(budget: Budget, tenant_id: int, amount=CALL, now=NOW) -> Reservation:
    return budget.reserve(tenant_id=tenant_id, amount=amount, now=now, deadline_seconds=20)


def _settle(budget: Budget, held: Reservation, *, tokens: int, nano_usd: int = 0, now=NOW) -> None:
    call = _call(held.tenant_id, tokens=tokens, nano_usd=nano_usd, now=now)
    budget.settle(held, spent=Amount(tokens=tokens, nano_usd=nano_usd), call=call)


def _counters() -> dict[str, tuple[int, int]]:
    with scope.all_tenants("test"):
        rows: dict[str, BudgetCounters] = {str(row.period): row for row in AIBudget.objects.all()}
        if (deployment := AIGlobalBudget.objects.first()) is not None:
            rows["global"] = deployment
    return {name: (row.spent_tokens, row.reserved_tokens) for name, row in rows.items()}


class TestReserve:
    def test_holds_the_amount_of_every_cap(self, tenant_id):
        _reserve(Budget(limits=LIMITS), tenant_id)

        assert _counters() == {"day": (0, 300), "month": (0, 300), "global": (0, 300)}

    @pytest.mark.parametrize("cap", ["tenant_day", "tenant_month", "global_month"])
    @pytest.mark.parametrize("limit", [BudgetLimit(tokens=299), BudgetLimit(nano_usd=89), BudgetLimit(tokens=0)])
    def test_holds_nothing_where_one_cap_has_no_room(self, tenant_id, cap, limit):
        roomy = {name: BudgetLimit() for name in ("tenant_day", "tenant_month", "global_month")}
        budget = Budget(limits=BudgetLimits(**roomy | {cap: limit}))

        with pytest.raises(BudgetExhausted) as caught:
            _reserve(budget, tenant_id)

        assert caught.value.cap == cap
        assert set(_counters().values()) <= {(0, 0)}

    def test_refuses_nobody_while_the_first_callers_of_a_day_make_its_rows(self, tenant_id):
        budget = Budget(limits=BudgetLimits(tenant_day=BudgetLimit(tokens=300 * 4)))

        def reserve(day: int) -> None:
            together.wait()
            try:
                _reserve(budget, tenant_id, now=NOW + timedelta(days=day))
            finally:
                connection.close()

        for day in range(8):
            together = threading.Barrier(4)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(reserve, [day] * 4))

        with scope.tenant(tenant_id):
            held = AIBudget.objects.filter(period="day").values_list("reserved_tokens", flat=True)
            assert list(held) == [1200] * 8

    def test_takes_exactly_what_is_left(self, tenant_id):
        budget = Budget(limits=LIMITS)

        _reserve(budget, tenant_id, Amount(tokens=999))
        _reserve(budget, tenant_id, Amount(tokens=1))

        with pytest.raises(BudgetExhausted):
            _reserve(budget, tenant_id, Amount(tokens=1))

    def test_starts_anew_each_day(self, tenant_id):
        budget = Budget(limits=LIMITS)
        _reserve(budget, tenant_id, Amount(tokens=1000))

        _reserve(budget, tenant_id, Amount(tokens=1000), now=NOW + timedelta(days=1))

        assert _counters()["month"] == (0, 2000)

    def test_goes_by_the_tenants_own_limit(self, tenant_id):
        with scope.tenant(tenant_id):
            AILimit.objects.create(tenant_id=tenant_id, day_tokens=400, month_usd=Decimal("0.0000"))
        with pytest.raises(BudgetExhausted, match="tenant_month"):
            _reserve(Budget(limits=LIMITS), tenant_id)

        with scope.tenant(tenant_id):
            AILimit.objects.update(month_usd=None)
        _reserve(Budget(limits=LIMITS), tenant_id)

        with pytest.raises(BudgetExhausted, match="tenant_day"):
            _reserve(Budget(limits=LIMITS), tenant_id)

    def test_never_overshoots_with_32_callers_at_once(self, tenant_id):
        """Each spends 170 of a reserved 300; at no moment is spent and reserved above 1,000."""
        budget = Budget(limits=LIMITS)
        seen: list[int] = []

        def call(_) -> int:
            try:
                held = _reserve(budget, tenant_id)
                seen.append(sum(_counters()["day"]))
                _settle(budget, held, tokens=170)
            except BudgetExhausted:
                return 0
            finally:
                connection.close()
            return 170

        with ThreadPoolExecutor(32) as pool:
            spent = sum(pool.map(call, range(64)))

        assert spent > 500
        assert max(seen) <= 1000
        assert _counters() == {"day": (spent, 0), "month": (spent, 0), "global": (spent, 0)}

    def test_refuses_to_work_inside_a_transaction(self, tenant_id):
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            _reserve(Budget(limits=LIMITS), tenant_id)


class TestGuardOff:
    def test_check_then_write_would_overshoot(self, tenant_id):
        """The race is real: without the condition in the UPDATE the same callers pass the cap."""
        budget = Budget(limits=LIMITS)
        _settle(budget, _reserve(budget, tenant_id), tokens=0)

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

        _settle(budget, _reserve(budget, tenant_id), tokens=120, nano_usd=33)

        assert _counters()["day"] == (120, 0)
        with scope.tenant(tenant_id):
            assert AICall.objects.get().cost_nano_usd == 33
            assert not AIReservation.objects.exists()

    def test_release_gives_everything_back_once(self, tenant_id):
        budget = Budget(limits=LIMITS)
        held = _reserve(budget, tenant_id)

        assert budget.release(held) is True
        assert budget.release(held) is False
        assert _counters()["day"] == (0, 0)

    def test_counts_what_was_spent_after_the_reservation_had_expired(self, tenant_id):
        budget = Budget(limits=LIMITS)
        held = _reserve(budget, tenant_id)
        assert release_expired(limits=LIMITS, now=NOW + timedelta(hours=1)) == 1

        _settle(budget, held, tokens=120)

        assert _counters() == {"day": (120, 0), "month": (120, 0), "global": (120, 0)}
        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []


class TestExpiry:
    def test_leaves_calls_under_way_alone(self, tenant_id):
        _reserve(Budget(limits=LIMITS), tenant_id)

        assert release_expired(limits=LIMITS, now=NOW + timedelta(seconds=20 + GRACE_SECONDS - 1)) == 0

    def test_comes_back_when_somebody_needs_the_room(self, tenant_id):
        """A process died in its call; nobody ran the job."""
        budget = Budget(limits=LIMITS)
        _reserve(budget, tenant_id, Amount(tokens=900))
        later = NOW + timedelta(seconds=21 + GRACE_SECONDS)

        _reserve(budget, tenant_id, now=later)

        assert _counters()["day"] == (0, 300)


class TestAlerts:
    def test_tells_once_at_80_percent_and_once_when_it_is_spent(self, tenant_id):
        alerts: list[BudgetAlert] = []
        budget = Budget(limits=LIMITS, hooks=[alerts.append])

        for tokens in (790, 10, 100):
            _settle(budget, _reserve(budget, tenant_id, Amount(tokens=tokens)), tokens=tokens)
        for _ in range(2):
            with pytest.raises(BudgetExhausted):
                _reserve(budget, tenant_id)

        assert [(each.level, each.cap, each.spent.tokens) for each in alerts] == [
            ("soft", "tenant_day", 800),
            ("hard", "tenant_day", 900),
        ]
        assert (alerts[0].tenant_id, alerts[0].limit) == (tenant_id, BudgetLimit(tokens=1000))

    def test_is_silent_where_calls_under_way_hold_the_room(self, tenant_id):
        alerts: list[BudgetAlert] = []
        budget = Budget(limits=LIMITS, hooks=[alerts.append])
        _reserve(budget, tenant_id, Amount(tokens=900))

        with pytest.raises(BudgetExhausted):
            _reserve(budget, tenant_id)

        assert alerts == []


class TestReconcile:
    def test_finds_nothing_while_all_is_well(self, tenant_id):
        budget = Budget(limits=LIMITS)
        for tokens in (10, 20):
            _settle(budget, _reserve(budget, tenant_id), tokens=tokens, nano_usd=tokens)
        _reserve(budget, tenant_id)

        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []

    def test_finds_a_call_that_nobody_paid_for(self, tenant_id):
        budget = Budget(limits=LIMITS)
        _settle(budget, _reserve(budget, tenant_id), tokens=10, nano_usd=7)
        with scope.tenant(tenant_id):
            _call(tenant_id, tokens=5, nano_usd=1).save()

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
                _call(tenant_id, tokens=1, nano_usd=1, now=NOW - timedelta(days=days)).save()

        assert ledger.purge(now=NOW, keep_days=62) == 1

    def test_refuses_to_delete_what_must_still_reconcile(self):
        with pytest.raises(ValueError, match="at least 62"):
            ledger.purge(now=NOW, keep_days=30)


class TestTenants:
    def test_a_stranger_sees_neither_budget_nor_ledger(self, tenant_id):
        budget = Budget(limits=LIMITS)
        _settle(budget, _reserve(budget, tenant_id), tokens=10)
        _reserve(budget, tenant_id)

        with scope.tenant(tenant_id + 1):
            assert not AIBudget.objects.exists()
            assert not AICall.objects.exists()
            assert not AIReservation.objects.exists()
            assert AIGlobalBudget.objects.exists()
