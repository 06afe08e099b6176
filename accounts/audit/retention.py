"""Retention of the audit log."""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from accounts.models import AuditEntry
from accounts.tenancy import scope
from core.postgres.batches import delete_in_batches


def purge(*, now: datetime) -> int:
    """Deletes entries older than AUDIT_DAYS, in batches; the database keeps those younger than 90 days in any case."""
    old = AuditEntry.objects.filter(at__lt=now - timedelta(days=settings.AUDIT_DAYS)).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.all_tenants, "purge of the audit log"))
