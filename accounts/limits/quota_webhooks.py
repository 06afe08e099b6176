"""Quota warnings as webhooks: written in the transaction that records the warning."""

from accounts.limits import quota_warnings
from accounts.models import QuotaWarning
from core.webhooks.publish import emit

ALL = 100


def tell(warning: QuotaWarning) -> None:
    """`quota.warning` at 80 %, `quota.exhausted` at 100."""
    emit(
        tenant_id=warning.tenant_id,
        type="quota.exhausted" if warning.percent >= ALL else "quota.warning",
        data={"month": warning.month, "percent": warning.percent, "used": warning.used, "quota": warning.quota},
        now=warning.at,
    )


def subscribe() -> None:
    """From now on each warning is told."""
    quota_warnings.subscribe(tell)
