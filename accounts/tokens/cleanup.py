"""Deletes expired access records: ended refresh families, revocations, old records of replays."""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from accounts.models import RefreshFamily, ReplayAttempt, RevokedToken
from accounts.tenancy import scope
from core.postgres.batches import delete_in_batches

# A used token of an ended family is recognised for this long; afterwards it is unknown.
FAMILY_RETENTION = timedelta(days=7)


def purge(*, now: datetime) -> int:
    """Deletes expired rows in batches; returns how many of the three tables. Safe to run twice at once."""
    all_tenants = partial(scope.all_tenants, "purge of tokens")
    return sum(
        delete_in_batches(rows.order_by(), scope=all_tenants)
        for rows in (
            RefreshFamily.objects.filter(expires_at__lte=now - FAMILY_RETENTION),
            RevokedToken.objects.filter(expires_at__lte=now - timedelta(minutes=5)),
            ReplayAttempt.objects.filter(at__lte=now - timedelta(days=settings.REPLAY_AUDIT_DAYS)),
        )
    )
