"""Writing the log, and asking it. Each function runs in the tenant's scope that its caller has opened.

Whoever brings in rows from elsewhere holds the log shared until its transaction ends, whoever erases holds it alone. So
rows that were checked before an erasure are committed before it as well, and it finds them.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import connection
from django.db.models import Max

from core.pseudonyms import key_id, pseudonym
from recommendations.erasures.models import Erasure

# The first half of the advisory lock's number, so that it is nobody else's; the second is the tenant.
_LOCK = 0x45524153


def digest(tenant_id: int, user_id: str) -> str:
    """How the log names a person."""
    return pseudonym("end user", tenant_id, user_id)


def hold(tenant_id: int) -> None:
    """Waits for rows on their way in, and keeps others out until the transaction ends."""
    _lock("pg_advisory_xact_lock", tenant_id)


def share(tenant_id: int) -> None:
    """Waits for an erasure under way, and holds the next one off until the transaction ends."""
    _lock("pg_advisory_xact_lock_shared", tenant_id)


def enter(
    *, tenant_id: int, digests: Iterable[str], rows: Mapping[str, int], receipt: uuid.UUID, now: datetime
) -> None:
    """Notes the erasure of one person under all their names; twice at one moment is once."""
    Erasure.objects.bulk_create(
        (
            Erasure(tenant_id=tenant_id, digest=name, key=key_id(), erased_at=now, receipt=receipt, rows=dict(rows))
            for name in sorted(set(digests))
        ),
        ignore_conflicts=True,
    )


def erased_among(*, tenant_id: int, user_ids: Collection[str]) -> dict[str, datetime]:
    """Those of the ids that the log knows, with when they were last erased."""
    entries = Erasure.objects.filter(tenant_id=tenant_id)
    if not entries.order_by().exists():
        return {}
    names = {digest(tenant_id, user_id): user_id for user_id in user_ids}
    last = entries.filter(digest__in=list(names)).order_by().values("digest").annotate(at=Max("erased_at"))
    return {names[name]: at for name, at in last.values_list("digest", "at")}


def latest(tenant_id: int) -> dict[str, datetime]:
    """Every digest of the log with when its person was last erased."""
    last = Erasure.objects.filter(tenant_id=tenant_id).order_by().values("digest").annotate(at=Max("erased_at"))
    return dict(last.values_list("digest", "at"))


def _lock(function: str, tenant_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [_LOCK, tenant_id % 2**31])
