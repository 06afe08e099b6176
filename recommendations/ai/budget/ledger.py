"""Reconciliation of the ledger with the budgets, and its retention."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import F, Sum

from accounts.tenancy import scope
from core.postgres.batches import delete_in_batches
from recommendations.ai.config.settings import MINIMUM_LEDGER_DAYS
from recommendations.ai.models import AIBudget, AICall, AIGlobalBudget, BudgetCounters, Period
from recommendations.ai.money import Amount

Key = tuple[int | None, str, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A period whose budget and ledger disagree."""

    tenant_id: int | None
    """None for the deployment's."""
    period: str
    starts_on: date
    budget: Amount
    ledger: Amount


def reconcile(*, since: date) -> list[Difference]:
    """Return the periods from `since` on whose budget differs from the sum of its calls; any is a defect.

    Reads one snapshot of the database, so calls in progress do not disturb it.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with scope.all_tenants("AI reconciliation"):
            sums = _sums(since)
            budgets = [
                *((row, row.tenant_id) for row in AIBudget.objects.filter(starts_on__gte=since)),
                *((row, None) for row in AIGlobalBudget.objects.filter(starts_on__gte=since)),
            ]
    differences = [_difference(row, tenant_id, sums.pop(_key(row, tenant_id), Amount())) for row, tenant_id in budgets]
    missing = [
        Difference(tenant_id=tenant_id, period=period, starts_on=starts_on, budget=Amount(), ledger=amount)
        for (tenant_id, period, starts_on), amount in sums.items()
    ]
    return [each for each in (*differences, *missing) if each.budget != each.ledger]


def purge(*, now: datetime, keep_days: int) -> int:
    """Delete ledger rows older than `keep_days` in batches; return their number.

    Raises:
        ValueError: less than MINIMUM_LEDGER_DAYS.
    """
    if keep_days < MINIMUM_LEDGER_DAYS:
        raise ValueError(f"keep_days is {keep_days}; give at least {MINIMUM_LEDGER_DAYS}")
    before = now.astimezone(UTC).date() - timedelta(days=keep_days)
    old = AICall.objects.filter(day__lt=before).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.all_tenants, "AI ledger: retention"))


def _sums(since: date) -> dict[Key, Amount]:
    """Sum the ledger for every period that it covers completely."""
    tokens: Counter[Key] = Counter()
    money: Counter[Key] = Counter()
    days = (
        AICall.objects.filter(day__gte=since)
        .values("tenant_id", "day")
        .annotate(tokens=Sum(F("input_tokens") + F("output_tokens")), nano_usd=Sum("cost_nano_usd"))
        .order_by("tenant_id", "day")
    )
    for row in days:
        month = row["day"].replace(day=1)
        keys: list[Key] = [(row["tenant_id"], Period.DAY.value, row["day"])]
        if month >= since:
            keys += [(row["tenant_id"], Period.MONTH.value, month), (None, Period.MONTH.value, month)]
        for key in keys:
            tokens[key] += row["tokens"]
            money[key] += row["nano_usd"]
    return {key: Amount(tokens=tokens[key], nano_usd=money[key]) for key in tokens}


def _key(row: BudgetCounters, tenant_id: int | None) -> Key:
    return tenant_id, str(row.period), row.starts_on


def _difference(row: BudgetCounters, tenant_id: int | None, ledger: Amount) -> Difference:
    return Difference(
        tenant_id=tenant_id,
        period=str(row.period),
        starts_on=row.starts_on,
        budget=Amount(tokens=row.spent_tokens, nano_usd=row.spent_nano_usd),
        ledger=ledger,
    )
