"""Letting go: impressions that no window reaches any more, batches long written, and old days."""

from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.attribution.attribute_events import GRACE
from recommendations.attribution.models import Exposure, Impression, ImpressionBatch, ItemStat, PlacementStat
from recommendations.attribution.stream_consumer import REMEMBERED

ROWS_AT_ONCE = 5_000


def tidy(*, now: datetime) -> int:
    """Deletes what is past its time, each batch in a transaction of its own; returns how many rows."""
    with scope.all_tenants("attribution: what is past its time"):
        windows = dict(Tenant.objects.values_list("pk", "attribution_hours"))
    removed = 0
    for tenant_id, hours in windows.items():
        before = now - timedelta(hours=hours) - GRACE
        removed += _delete(tenant_id, Impression, last_at__lt=before)
        day = (now - timedelta(days=settings.INSIGHT_DAYS)).date()
        removed += _delete(tenant_id, ItemStat, day__lt=day) + _delete(tenant_id, PlacementStat, day__lt=day)
        removed += _delete(tenant_id, Exposure, week__lt=day)
    return removed + ImpressionBatch.objects.filter(stored_at__lt=now - REMEMBERED).delete()[0]


def _delete(
    tenant_id: int, model: type[Exposure] | type[Impression] | type[ItemStat] | type[PlacementStat], **condition: object
) -> int:
    removed = 0
    while True:
        with scope.tenant(tenant_id):
            old = model._default_manager.filter(tenant_id=tenant_id, **condition).order_by()  # noqa: SLF001
            rows = list(old.values_list("pk", flat=True)[:ROWS_AT_ONCE])
            model._default_manager.filter(tenant_id=tenant_id, pk__in=rows).delete()  # noqa: SLF001
        removed += len(rows)
        if len(rows) < ROWS_AT_ONCE:
            return removed
