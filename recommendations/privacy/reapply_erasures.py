"""Reapplies the erasure log to users who returned with an old dump, file or Redis snapshot.

Users created after their last erasure are not affected: they returned by themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog

from accounts.tenancy import scope
from core.pseudonyms import key_id
from recommendations import cache
from recommendations.catalog.models import EndUser
from recommendations.erasures import backup, log
from recommendations.erasures.models import Erasure
from recommendations.privacy.erase import erase_again

BATCH = 10_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of reapplying the log.

    `entries` counts the log, of which `restored` came from the storage and `foreign` were made with another key, so
    that they match no user. `users` were erased again, `lists` removed from Redis.
    """

    entries: int
    restored: int
    foreign: int
    users: int
    lists: int = 0


def apply_erasures(*, tenant_id: int, now: datetime, cached: bool = False) -> Applied:
    """Erases users who are in the log and exist nevertheless; with `cached`, also searches the lists in Redis.

    Safe at any time, also concurrently.

    Raises: RedisUnavailable with `cached`; errors of the storage.
    """
    restored = backup.restore_log(tenant_id=tenant_id, now=now)
    with scope.tenant(tenant_id):
        entries = Erasure.objects.filter(tenant_id=tenant_id)
        count, foreign = entries.count(), entries.exclude(key=key_id()).count()
        known = log.last_erasures(tenant_id) if count else {}
    users = sum(erase_again(tenant_id=tenant_id, pk=pk, now=now) for pk in _returned(tenant_id, known))
    lists = 0
    if cached and known:
        lists = cache.forget_where(tenant_id, lambda user_id: log.digest(tenant_id, user_id) in known)
    if users or foreign:
        _log.warning("erasures_applied", tenant_id=tenant_id, people=users, foreign=foreign)
    return Applied(count, restored, foreign, users, lists)


def _returned(tenant_id: int, known: dict[str, datetime]) -> Iterator[int]:
    """Primary keys of users created before their last erasure."""
    newest = max(known.values(), default=None)
    last = 0
    while newest is not None:
        with scope.tenant(tenant_id):
            older = EndUser.objects.filter(tenant_id=tenant_id, pk__gt=last, created_at__lte=newest).order_by("pk")
            rows = list(older.values_list("pk", "user_id", "created_at")[:BATCH])
        for pk, user_id, created_at in rows:
            erased_at = known.get(log.digest(tenant_id, user_id))
            if erased_at is not None and created_at <= erased_at:
                yield pk
        if len(rows) < BATCH:
            return
        last = rows[-1][0]
