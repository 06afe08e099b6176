"""Monthly counters between Redis, which counts, and Postgres, which keeps them. The greater of both always holds."""

from collections.abc import Sequence
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
    names = [month.name for month in months.candidates(now)]
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
