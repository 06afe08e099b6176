"""Spending reports from the ledger and the budgets, for staff."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Avg, Count, F, Q, Sum

from accounts.tenancy import scope
from recommendations.ai.budget.caps import caps_for_call
from recommendations.ai.models import AICall
from recommendations.ai.money import Amount, BudgetLimit, BudgetLimits


class NothingToEstimate(Exception):
    """No cost can be estimated: there is no list or no price. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """Calls of one purpose, model and prompt version in a number of days."""

    purpose: str
    model: str
    prompt_version: str
    simulated: bool
    calls: int
    answered: int
    tokens: int
    nano_usd: int
    latency_ms: int
    """On average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapUsage:
    """Current use of a cap."""

    cap: str
    starts_on: date
    spent: Amount
    reserved: Amount
    limit: BudgetLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalCall:
    """Averages of a tenant's calls."""

    calls: int
    output_tokens: int


def spend(*, now: datetime, days: int, tenant_id: int | None = None) -> list[Spend]:
    """Return the calls of the last `days` days, today included, the most expensive group first."""
    rows = AICall.objects.filter(day__gt=now.astimezone(UTC).date() - timedelta(days=days))
    with _rows_of(tenant_id, "AI report"):
        groups = rows.values("purpose", "model", "prompt_version", "simulated").annotate(
            calls=Count("pk"),
            answered=Count("pk", filter=Q(outcome=AICall.Outcome.OK)),
            tokens=Sum(F("input_tokens") + F("output_tokens")),
            nano_usd=Sum("cost_nano_usd"),
            latency_ms=Avg("latency_ms"),
        )
        return [Spend(**{**group, "latency_ms": round(group["latency_ms"])}) for group in groups.order_by("-nano_usd")]


def cap_usage(*, tenant_id: int, limits: BudgetLimits, now: datetime) -> list[CapUsage]:
    """Return the current use of the caps that apply to the tenant."""
    usage = []
    with scope.tenant(tenant_id):
        for cap in caps_for_call(tenant_id=tenant_id, day=now.astimezone(UTC).date(), limits=limits):
            row = cap.rows.first() or cap.rows.model(**cap.key)
            usage.append(
                CapUsage(
                    cap=cap.name,
                    starts_on=row.starts_on,
                    spent=Amount(tokens=row.spent_tokens, nano_usd=row.spent_nano_usd),
                    reserved=Amount(tokens=row.reserved_tokens, nano_usd=row.reserved_nano_usd),
                    limit=cap.limit,
                )
            )
    return usage


def typical_call(*, tenant_id: int, now: datetime, days: int = 30) -> TypicalCall | None:
    """Return the averages of the answered calls of the last `days` days, or None where there are none."""
    since = now.astimezone(UTC).date() - timedelta(days=days)
    with scope.tenant(tenant_id):
        answered = AICall.objects.filter(
            tenant_id=tenant_id, day__gt=since, outcome=AICall.Outcome.OK, purpose="rerank"
        ).aggregate(calls=Count("pk"), output=Avg("output_tokens"))
    if not answered["calls"]:
        return None
    return TypicalCall(calls=answered["calls"], output_tokens=round(answered["output"]))


@contextmanager
def _rows_of(tenant_id: int | None, reason: str) -> Iterator[None]:
    if tenant_id is None:
        with scope.all_tenants(reason):
            yield
    else:
        with scope.tenant(tenant_id):
            yield
