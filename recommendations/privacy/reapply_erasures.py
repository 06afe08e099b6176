"""The log applied again: whoever came back with an old dump, an old file or an old Redis goes once more.

A person is gone for good only as they were: who was created after their last erasure has come back by themselves.
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
    """What applying the log came to.

    `entries` are in the log, of which `taken_back` came from the storage and `foreign` were made with another key, so
    that nobody can be known by them. `people` were erased again, `lists` removed from Redis.
    """

    entries: int
    taken_back: int
    foreign: int
    people: int
    lists: int = 0


def apply_erasures(*, tenant_id: int, now: datetime, cached: bool = False) -> Applied:
    """Erases whoever is in the log and here all the same. `cached` looks through the tenant's lists in Redis as well.

    Safe at any time, and twice at once. Raises: RedisUnavailable with `cached`; what the storage raises.
    """
    taken_back = backup.take_back(tenant_id=tenant_id, now=now)
    with scope.tenant(tenant_id):
        entries = Erasure.objects.filter(tenant_id=tenant_id)
        count, foreign = entries.count(), entries.exclude(key=key_id()).count()
        known = log.latest(tenant_id) if count else {}
    people = sum(erase_again(tenant_id=tenant_id, pk=pk, now=now) for pk in _returned(tenant_id, known))
    lists = 0
    if cached and known:
        lists = cache.forget_where(tenant_id, lambda user_id: log.digest(tenant_id, user_id) in known)
    if people or foreign:
        _log.warning("erasures_applied", tenant_id=tenant_id, people=people, foreign=foreign)
    return Applied(count, taken_back, foreign, people, lists)


def _returned(tenant_id: int, known: dict[str, datetime]) -> Iterator[int]:
    """Primary keys of people who are older than their last erasure."""
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
