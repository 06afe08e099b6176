"""Budgets as tests reserve and settle calls in them."""

from datetime import UTC, datetime

from accounts.tenancy import scope
from recommendations.ai.budget.reservations import Budget, Reservation
from recommendations.ai.models import AIBudget, AICall, AIGlobalBudget, BudgetCounters
from recommendations.ai.money import Amount, BudgetLimit, BudgetLimits

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = BudgetLimits(
    tenant_day=BudgetLimit(tokens=1000), tenant_month=BudgetLimit(tokens=5000), global_month=BudgetLimit(tokens=9000)
)
CALL = Amount(tokens=300, nano_usd=90)


def make_call(tenant_id: int, *, tokens: int, nano_usd: int, now=NOW) -> AICall:
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


def reserve(budget: Budget, tenant_id: int, amount=CALL, now=NOW) -> Reservation:
    return budget.reserve(tenant_id=tenant_id, amount=amount, now=now, deadline_seconds=20)


def settle(budget: Budget, held: Reservation, *, tokens: int, nano_usd: int = 0, now=NOW) -> None:
    call = make_call(held.tenant_id, tokens=tokens, nano_usd=nano_usd, now=now)
    budget.settle(held, spent=Amount(tokens=tokens, nano_usd=nano_usd), call=call)


def counters() -> dict[str, tuple[int, int]]:
    with scope.all_tenants("test"):
        rows: dict[str, BudgetCounters] = {str(row.period): row for row in AIBudget.objects.all()}
        if (deployment := AIGlobalBudget.objects.first()) is not None:
            rows["global"] = deployment
    return {name: (row.spent_tokens, row.reserved_tokens) for name, row in rows.items()}
