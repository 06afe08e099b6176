"""How long the audit log is kept."""

from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import AuditEntry
from accounts.tenancy import scope

_BATCH = 1000


def purge(*, now: datetime) -> int:
    """Deletes entries older than AUDIT_DAYS, in batches; younger ones than 90 days the database keeps in any case."""
    gone = 0
    while True:
        with scope.all_tenants("purge of the audit log"):
            old = AuditEntry.objects.filter(at__lt=now - timedelta(days=settings.AUDIT_DAYS)).order_by("pk")
            deleted, _ = AuditEntry.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_BATCH])).delete()
        gone += deleted
        if deleted < _BATCH:
            return gone
