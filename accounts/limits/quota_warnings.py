"""Warnings at 80 and at 100 % of a month's requests: a durable row each, a log line, a metric, and whoever listens.

The job that flushes the counters asks for them, so a warning comes at most a minute after its cause. Each is given
once for a tenant, month, percentage and quota: a plan that is raised and used up again warns again.
"""

from collections.abc import Callable, Collection
from datetime import datetime

import structlog
from django.db import connection

from accounts.metrics import QUOTA_WARNINGS
from accounts.models import QuotaWarning
from accounts.tenancy import scope

PERCENTAGES = (80, 100)
Listener = Callable[[QuotaWarning], None]
_log = structlog.get_logger(__name__)
_listeners: list[Listener] = []
_GIVE = """
    INSERT INTO accounts_quotawarning (tenant_id, month, percent, quota, used, at)
    SELECT usage.tenant_id, usage.month, %(percent)s, plan.requests_per_month, usage.used, %(now)s
    FROM accounts_tenantusage usage
    JOIN accounts_tenant tenant ON tenant.id = usage.tenant_id
    JOIN accounts_plan plan ON plan.id = tenant.plan_id
    WHERE usage.month = ANY(%(months)s) AND tenant.active AND plan.requests_per_month > 0
        AND usage.used * 100 >= plan.requests_per_month * %(percent)s
    ON CONFLICT (tenant_id, month, percent, quota) DO NOTHING
    RETURNING id
"""


def subscribe(listener: Listener) -> None:
    """From now on `listener(warning)` is called for each new warning, once.

    It runs in the transaction that records the warning, in the scope of all tenants: what it writes is committed with
    the warning or not at all. It must not ask another service for anything.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def give(*, months: Collection[str], now: datetime) -> list[QuotaWarning]:
    """Records the warnings that are due for what tenants have used in these months (`2026-11`), and returns them."""
    with scope.all_tenants("usage: warnings"):
        fresh: list[int] = []
        with connection.cursor() as cursor:
            for percent in PERCENTAGES:
                cursor.execute(_GIVE, {"percent": percent, "months": sorted(months), "now": now})
                fresh += [row for (row,) in cursor.fetchall()]
        given = list(QuotaWarning.objects.filter(pk__in=fresh).select_related("tenant").order_by("pk")) if fresh else []
        for warning in given:
            for listener in _listeners:
                listener(warning)
    for warning in given:  # after the commit
        QUOTA_WARNINGS.labels(str(warning.percent)).inc()
        _log.warning(
            "quota_warning",
            tenant=warning.tenant.slug,
            month=warning.month,
            percent=warning.percent,
            used=warning.used,
            quota=warning.quota,
        )
    return given
