"""A tenant's usage of its plan in the current month, and the warnings issued, the latest first."""

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
class UsageStatus:
    """A tenant's usage of its plan in the current month, and the warnings issued, the latest first."""

    plan: Plan
    month: Month
    used: int
    warnings: tuple[QuotaWarning, ...]

    @property
    def left(self) -> int | None:
        """Requests until the quota is used up; None without one."""
        quota = self.plan.requests_per_month
        return None if quota is None else max(0, quota - self.used)


def get_status(*, tenant_id: int, counted: int, now: datetime) -> UsageStatus:
    """Returns the tenant's usage. `counted` is Redis's count, 0 if unknown: then Postgres's is up to a minute old."""
    month = billing_periods.month_at(now)
    with scope.tenant(tenant_id):
        plan = Tenant.objects.select_related("plan").get(pk=tenant_id).plan
        stored = (
            TenantUsage.objects.filter(tenant_id=tenant_id, month=month.name).values_list("used", flat=True).first()
        )
        warnings = QuotaWarning.objects.filter(tenant_id=tenant_id, month=month.name)
        return UsageStatus(plan=plan, month=month, used=max(counted, stored or 0), warnings=tuple(warnings))


def flush(*, now: datetime) -> int:
    """Writes changed counters to Postgres, issues warnings, then restores counters that Redis has lost.

    Returns how many counters were written. After a crash the next run does the same again.

    Raises: core.redis.RedisUnavailable.
    """
    with scope.all_tenants("usage: every tenant's counter"):
        tenant_ids = list(Tenant.objects.order_by("pk").values_list("pk", flat=True))
    moved = list(quota.drain(tenant_ids=tenant_ids))
    _write(moved)
    quota_warnings.issue_warnings(months={billing_periods.month_at(now).name, *(each.month for each in moved)}, now=now)
    quota.mark_written(moved)  # after the commits
    with scope.all_tenants("usage: back to Redis"):
        stored = _stored_usage(now)
    _restore(stored)
    return len(moved)


def restore(*, tenant_id: int, now: datetime) -> None:
    """Raises the tenant's present counter in Redis to what Postgres knows; never lowers it.

    Raises: core.redis.RedisUnavailable.
    """
    with scope.tenant(tenant_id):
        stored = _stored_usage(now)
    _restore(stored)


def _stored_usage(now: datetime) -> list[Usage]:
    """Returns the stored usage, within the scope, of the current month and of the one that Redis may count."""
    names = [month.name for month in billing_periods.candidate_months(now)]
    rows = TenantUsage.objects.filter(month__in=names, used__gt=0).order_by("pk")
    return [Usage(*row) for row in rows.values_list("tenant_id", "month", "used")]


def _restore(stored: Sequence[Usage]) -> None:
    for each in stored:
        quota.restore(tenant_id=each.tenant_id, month=each.month, used=each.used)


def _write(moved: Sequence[Usage]) -> None:
    with scope.all_tenants("usage: to Postgres"):
        fresh = [TenantUsage(tenant_id=each.tenant_id, month=each.month) for each in moved]
        TenantUsage.objects.bulk_create(fresh, ignore_conflicts=True)
        for each in moved:
            own = TenantUsage.objects.filter(tenant_id=each.tenant_id, month=each.month, used__lt=each.used)
            own.update(used=each.used)
