"""Letting go of what access has left behind: ended refresh families, revocations, old records of replays."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts.models import RefreshFamily, ReplayAttempt, RevokedToken
from accounts.tenancy import scope

# A token of an ended family is known as used for so long; then it is as unknown as any other word.
FAMILY_KEPT = timedelta(days=7)
_BATCH = 1000


def purge(*, now: datetime) -> int:
    """Deletes what is past its time, in batches of their own transactions; says how many rows of these three tables.

    Safe to run twice at once.
    """
    gone = 0
    for rows in (
        RefreshFamily.objects.filter(expires_at__lte=now - FAMILY_KEPT),
        RevokedToken.objects.filter(expires_at__lte=now - timedelta(minutes=5)),
        ReplayAttempt.objects.filter(at__lte=now - timedelta(days=settings.REPLAY_AUDIT_DAYS)),
    ):
        while True:
            with scope.all_tenants("purge of tokens"):
                batch: list[Any] = list(rows.order_by().values_list("pk", flat=True)[:_BATCH])
                rows.model._default_manager.filter(pk__in=batch).delete()  # noqa: SLF001  # Django's documented name
            gone += len(batch)
            if len(batch) < _BATCH:
                break
    return gone
