"""Reads and writes of the erasure log. All functions run in the tenant scope opened by the caller.

Imports hold a shared lock on the log until their transaction ends, erasures and merges an exclusive one. So rows that
were checked before an erasure are also committed before it, and the erasure finds them; and a chunk of an import need
not lock its users, since none of them is removed meanwhile.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import connection
from django.db.models import Max

from core.pseudonyms import key_id, pseudonym
from recommendations.erasures.models import Erasure

# The first half of the advisory lock's key, unique to this lock; the second half is the tenant.
_LOCK = 0x45524153


def digest(tenant_id: int, user_id: str) -> str:
    """The pseudonym of a user in the log."""
    return pseudonym("end user", tenant_id, user_id)


def lock_exclusively(tenant_id: int) -> None:
    """Waits for running imports, and blocks new ones until the transaction ends."""
    _lock("pg_advisory_xact_lock", tenant_id)


def lock_shared(tenant_id: int) -> None:
    """Waits for a running erasure or merge, and blocks new ones until the transaction ends."""
    _lock("pg_advisory_xact_lock_shared", tenant_id)


def log_erasure(
    *, tenant_id: int, digests: Iterable[str], rows: Mapping[str, int], receipt: uuid.UUID, now: datetime
) -> None:
    """Logs the erasure of one user under all their digests; repeated at the same moment, it changes nothing."""
    Erasure.objects.bulk_create(
        (
            Erasure(
                tenant_id=tenant_id, digest=user_digest, key=key_id(), erased_at=now, receipt=receipt, rows=dict(rows)
            )
            for user_digest in sorted(set(digests))
        ),
        ignore_conflicts=True,
    )


def erased_among(*, tenant_id: int, user_ids: Collection[str]) -> dict[str, datetime]:
    """The ids that are in the log, with the time of their last erasure."""
    entries = Erasure.objects.filter(tenant_id=tenant_id)
    if not entries.order_by().exists():
        return {}
    ids = {digest(tenant_id, user_id): user_id for user_id in user_ids}
    last = entries.filter(digest__in=list(ids)).order_by().values("digest").annotate(at=Max("erased_at"))
    return {ids[user_digest]: at for user_digest, at in last.values_list("digest", "at")}


def last_erasures(tenant_id: int) -> dict[str, datetime]:
    """The time of the last erasure by digest."""
    last = Erasure.objects.filter(tenant_id=tenant_id).order_by().values("digest").annotate(at=Max("erased_at"))
    return dict(last.values_list("digest", "at"))


def _lock(function: str, tenant_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [_LOCK, tenant_id % 2**31])
