"""A measure of quotas: tenants by the share that they have used."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from accounts.metrics import QUOTA_USE, QUOTA_USE_BOUNDS
from accounts.models import Tenant, TenantUsage
from accounts.tenancy import scope
from core.metrics.families import Value
from core.ratelimit import billing_periods


def measure(*, now: datetime) -> Iterator[Value]:
    """Yields the number of tenants by their use of the month's quota."""
    month = billing_periods.month_at(now).name
    with scope.all_tenants("measures: quotas"):
        limited = dict(
            Tenant.objects.filter(active=True, plan__requests_per_month__gt=0).values_list(
                "pk", "plan__requests_per_month"
            )
        )
        used = dict(TenantUsage.objects.filter(month=month).values_list("tenant_id", "used"))
    counts = Counter(_bucket(used.get(tenant_id, 0) / quota) for tenant_id, quota in limited.items() if quota)
    for bucket in QUOTA_USE_BOUNDS:
        yield QUOTA_USE, (bucket,), counts[bucket]


def _bucket(share: float) -> str:
    return next(name for name, bound in QUOTA_USE_BOUNDS.items() if share < bound)
