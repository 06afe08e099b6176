"""Budget caps that apply to a call, in the fixed order in which they are reserved: tenant day, month, deployment."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from django.db.models import F, Q, QuerySet

from recommendations.ai.models import AIBudget, AIGlobalBudget, AILimit, Period
from recommendations.ai.money import NANO_PER_USD, Amount, BudgetLimit, BudgetLimits

CapName = Literal["tenant_day", "tenant_month", "global_month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One counter row and its limit."""

    name: CapName
    limit: BudgetLimit
    rows: "QuerySet[Any]"
    """The one row, once it exists."""
    key: dict[str, Any]

    def room_for(self, amount: Amount) -> Q:
        """Return the condition under which `amount` still fits."""
        room = Q()
        if self.limit.tokens is not None:
            room &= Q(spent_tokens__lte=self.limit.tokens - amount.tokens - F("reserved_tokens"))
        if self.limit.nano_usd is not None:
            room &= Q(spent_nano_usd__lte=self.limit.nano_usd - amount.nano_usd - F("reserved_nano_usd"))
        return room

    def spent_at_least(self, share: float, *, more: Amount) -> Q:
        """Return the condition that spending plus `more` reaches a share of a limit."""
        reached = Q(pk__in=[])
        if self.limit.tokens is not None:
            reached |= Q(spent_tokens__gte=int(self.limit.tokens * share) - more.tokens)
        if self.limit.nano_usd is not None:
            reached |= Q(spent_nano_usd__gte=int(self.limit.nano_usd * share) - more.nano_usd)
        return reached

    def create(self) -> None:
        """Create the row; another process may have done so already."""
        self.rows.model.objects.bulk_create([self.rows.model(**self.key)], ignore_conflicts=True)


def caps_for_call(*, tenant_id: int, day: date, limits: BudgetLimits) -> Iterator[Cap]:
    """Yield the caps in their fixed order. Call it in the tenant's scope."""
    override = AILimit.objects.filter(tenant_id=tenant_id).first()
    month = day.replace(day=1)
    yield _tenant_cap("tenant_day", tenant_id, Period.DAY, day, _with_override(limits.tenant_day, override, "day"))
    yield _tenant_cap(
        "tenant_month", tenant_id, Period.MONTH, month, _with_override(limits.tenant_month, override, "month")
    )
    key: dict[str, Any] = {"period": Period.MONTH, "starts_on": month}
    rows = AIGlobalBudget.objects.filter(**key)
    yield Cap(name="global_month", limit=limits.global_month, rows=rows, key=key)


def _tenant_cap(name: CapName, tenant_id: int, period: Period, starts_on: date, limit: BudgetLimit) -> Cap:
    key: dict[str, Any] = {"tenant_id": tenant_id, "period": period, "starts_on": starts_on}
    return Cap(name=name, limit=limit, rows=AIBudget.objects.filter(**key), key=key)


def _with_override(limit: BudgetLimit, override: AILimit | None, period: str) -> BudgetLimit:
    usd, tokens = getattr(override, f"{period}_usd", None), getattr(override, f"{period}_tokens", None)
    if usd is not None:
        limit = replace(limit, nano_usd=int(usd * NANO_PER_USD))
    return limit if tokens is None else replace(limit, tokens=tokens)
