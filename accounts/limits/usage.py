"""Monthly counters between Redis, which counts, and Postgres, which keeps them. The greater of both always holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.limits import quota_warnings
from accounts.models import Plan, QuotaWarning, Tenant, TenantUsage
from accounts.tenancy import scope
from core.ratelimit import billing_periods, quota
from core.ratelimit.billing_periods import Month
from core.ratelimit.quota import Usage


@dataclass(frozen=True, slots=True)
class Standing:
    """What a tenant has of its plan in the present month, and the warnings that it was given, the last one first."""

    plan: Plan
    month: Month
    used: int
    warnings: tuple[QuotaWarning, ...]

    @property
    def left(self) -> int | None:
        """Requests until the quota is used up; None without one."""
        quota = self.plan.requests_per_month
        return None if quota is None else max(0, quota - self.used)


def standing(*, tenant_id: int, counted: int, now: datetime) -> Standing:
    """The tenant's standing. `counted` is what Redis says, 0 where it cannot: then Postgres's is up to a minute old."""
    month = billing_periods.of(now)
    with scope.tenant(tenant_id):
        plan = Tenant.objects.select_related("plan").get(pk=tenant_id).plan
        kept = TenantUsage.objects.filter(tenant_id=tenant_id, month=month.name).values_list("used", flat=True).first()
        given = QuotaWarning.objects.filter(tenant_id=tenant_id, month=month.name)
        return Standing(plan=plan, month=month, used=max(counted, kept or 0), warnings=tuple(given))


def flush(*, now: datetime) -> int:
    """Writes to Postgres what has moved since the last time, warns, then gives Redis back what it has lost.

    Returns how many counters were written. Killed anywhere, the next run does the same again.

    Raises: core.redis.RedisUnavailable.
    """
    with scope.all_tenants("usage: every tenant's counter"):
        tenant_ids = list(Tenant.objects.order_by("pk").values_list("pk", flat=True))
    moved = list(quota.drain(tenant_ids=tenant_ids))
    _write(moved)
    quota_warnings.give(months={billing_periods.of(now).name, *(each.month for each in moved)}, now=now)
    quota.settle(moved)  # after the commits
    with scope.all_tenants("usage: back to Redis"):
        kept = _kept(now)
    _give_back(kept)
    return len(moved)


def restore(*, tenant_id: int, now: datetime) -> None:
    """Raises the tenant's present counter in Redis to what Postgres knows; never lowers it.

    Raises: core.redis.RedisUnavailable.
    """
    with scope.tenant(tenant_id):
        kept = _kept(now)
    _give_back(kept)


def _kept(now: datetime) -> list[Usage]:
    """What the scope shows of the present month, and of the one that may be Redis's."""
    names = [month.name for month in billing_periods.candidates(now)]
    rows = TenantUsage.objects.filter(month__in=names, used__gt=0).order_by("pk")
    return [Usage(*row) for row in rows.values_list("tenant_id", "month", "used")]


def _give_back(kept: Sequence[Usage]) -> None:
    for each in kept:
        quota.restore(tenant_id=each.tenant_id, month=each.month, used=each.used)


def _write(moved: Sequence[Usage]) -> None:
    with scope.all_tenants("usage: to Postgres"):
        fresh = [TenantUsage(tenant_id=each.tenant_id, month=each.month) for each in moved]
        TenantUsage.objects.bulk_create(fresh, ignore_conflicts=True)
        for each in moved:
            own = TenantUsage.objects.filter(tenant_id=each.tenant_id, month=each.month, used__lt=each.used)
            own.update(used=each.used)
