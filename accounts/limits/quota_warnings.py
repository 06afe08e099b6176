"""Warnings at 80 and at 100 % of a month's requests: a durable row each, a webhook, a log line and a metric.

The job that flushes the counters issues them, so a warning comes at most a minute after its cause. Each is issued
once for a tenant, month, percentage and quota: a plan that is raised and used up again warns again.
"""

from collections.abc import Collection
from datetime import datetime

import structlog
from django.db import connection

from accounts.metrics import QUOTA_WARNINGS
from accounts.models import QuotaWarning
from accounts.tenancy import scope
from core.webhooks.publish import emit

PERCENTAGES = (80, 100)
_log = structlog.get_logger(__name__)
_INSERT = """
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


def issue_warnings(*, months: Collection[str], now: datetime) -> list[QuotaWarning]:
    """Records the warnings that are due for the usage of these months (`2026-11`), and returns them.

    Webhooks are written in the same transaction: both are committed or neither is.
    """
    with scope.all_tenants("usage: warnings"):
        new_ids: list[int] = []
        with connection.cursor() as cursor:
            for percent in PERCENTAGES:
                cursor.execute(_INSERT, {"percent": percent, "months": sorted(months), "now": now})
                new_ids += [row for (row,) in cursor.fetchall()]
        if not new_ids:
            return []
        warnings = list(QuotaWarning.objects.filter(pk__in=new_ids).select_related("tenant").order_by("pk"))
        for warning in warnings:
            _emit_webhook(warning)
    for warning in warnings:  # after the commit
        QUOTA_WARNINGS.labels(str(warning.percent)).inc()
        _log.warning(
            "quota_warning",
            tenant=warning.tenant.slug,
            month=warning.month,
            percent=warning.percent,
            used=warning.used,
            quota=warning.quota,
        )
    return warnings


def _emit_webhook(warning: QuotaWarning) -> None:
    emit(
        tenant_id=warning.tenant_id,
        type="quota.exhausted" if warning.percent >= 100 else "quota.warning",
        data={"month": warning.month, "percent": warning.percent, "used": warning.used, "quota": warning.quota},
        now=warning.at,
    )
