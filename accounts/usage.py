"""Monthly counters between Redis, which counts, and Postgres, which keeps them. The greater of both always holds."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from accounts import scope
from accounts.models import Tenant, TenantUsage
from core.admission import months, quota
from core.admission.quota import Usage


def flush(*, now: datetime) -> int:
    """Writes to Postgres what has moved since the last time, then gives Redis back what it has lost.

    Returns how many counters were written. Killed anywhere, the next run writes the same again.

    Raises: core.redis.RedisUnavailable.
    """
    with scope.all_tenants("usage: every tenant's counter"):
        tenant_ids = list(Tenant.objects.order_by("pk").values_list("pk", flat=True))
    moved = list(quota.drain(tenant_ids=tenant_ids))
    _write(moved)
    quota.settle(moved)  # after the commit
    restore(tenant_ids=tenant_ids, now=now)
    return len(moved)


def restore(*, tenant_ids: Iterable[int], now: datetime) -> None:
    """Raises the present month's counters in Redis to what Postgres knows; never lowers one.

    Raises: core.redis.RedisUnavailable.
    """
    names = [month.name for month in months.candidates(now)]
    with scope.all_tenants("usage: back to Redis"):
        kept = TenantUsage.objects.filter(tenant_id__in=list(tenant_ids), month__in=names, used__gt=0)
        rows = list(kept.values_list("tenant_id", "month", "used"))
    for tenant_id, month, used in rows:
        quota.restore(tenant_id=tenant_id, month=month, used=used)


def _write(moved: Sequence[Usage]) -> None:
    with scope.all_tenants("usage: to Postgres"):
        fresh = [TenantUsage(tenant_id=each.tenant_id, month=each.month) for each in moved]
        TenantUsage.objects.bulk_create(fresh, ignore_conflicts=True)
        for each in moved:
            own = TenantUsage.objects.filter(tenant_id=each.tenant_id, month=each.month, used__lt=each.used)
            own.update(used=each.used)
