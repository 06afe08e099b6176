"""Letting go of keys: those that are past their 24 hours, and answers that name an erased person."""

import json
from datetime import datetime

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from core.idempotency.claims import Scope
from core.idempotency.models import IdempotencyKey


def purge(*, scope: Scope, now: datetime, batch_rows: int = 1000) -> int:
    """Deletes expired keys, each batch in a transaction of its own, and says how many they were.

    Safe to run twice at once: rows that another run or a request has locked are left for the next time.
    """
    purged = 0
    while True:
        with scope():
            expired = IdempotencyKey.objects.filter(expires_at__lte=now).order_by("expires_at")
            batch = expired.select_for_update(skip_locked=True).values_list("pk", flat=True)[:batch_rows]
            deleted, _ = IdempotencyKey.objects.filter(pk__in=list(batch)).delete()
        purged += deleted
        if deleted < batch_rows:
            return purged


def naming(*, tenant_id: int, external_id: str) -> QuerySet[IdempotencyKey]:
    """The tenant's stored answers that name the id as a JSON string. Looks through all, at most 24 hours' worth."""
    named = json.dumps(external_id, ensure_ascii=False).encode()
    found = IdempotencyKey.objects.filter(tenant_id=tenant_id, state=IdempotencyKey.State.DONE)
    return found.filter(RawSQL("position(%s in body) > 0", [named], output_field=BooleanField()))


def erase_answers(*, tenant_id: int, external_id: str) -> int:
    """Empties the answers that name the id; says how many they were.

    Call it in the transaction and scope of the person's erasure. The keys stay used: a late retry must not run the
    write again and bring the person back.
    """
    return empty(naming(tenant_id=tenant_id, external_id=external_id))


def empty(answers: QuerySet[IdempotencyKey]) -> int:
    """Empties these answers, whose keys stay used; says how many they were."""
    return answers.update(state=IdempotencyKey.State.ERASED, status=None, headers={}, body=None)
