"""Letting go of keys: those that are past their 24 hours, and answers that name an erased person."""

import json
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from core.idempotency.claims import Scope
from core.idempotency.models import IdempotencyKey

# What a tenant stores under names of its own: an `id` in it is nobody's here.
_OPAQUE = frozenset({"attributes", "context"})


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
    """The tenant's stored answers about the person with this id. Looks through all, at most 24 hours' worth.

    An answer that merely holds the same text, as an item's id or a price, is about something else.
    """
    found = IdempotencyKey.objects.filter(tenant_id=tenant_id, state=IdempotencyKey.State.DONE)
    named = [_as_json(external_id), _as_json(external_id).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")]
    holds = RawSQL("position(%s in body) > 0 OR position(%s in body) > 0", [each.encode() for each in named])
    holds.output_field = BooleanField()
    bodies = found.filter(holds).values_list("pk", "body")
    return found.filter(pk__in=[pk for pk, body in bodies.iterator() if _is_about(bytes(body or b""), external_id)])


def _as_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_about(body: bytes, external_id: str) -> bool:
    try:
        return _names(json.loads(body), external_id)
    except ValueError:
        return True  # nobody can tell


def _names(value: Any, external_id: str) -> bool:
    """Whether a person's id is this one: `user_id`, `id` of a row's outcome, one of `ids`."""
    if isinstance(value, list):
        return any(_names(each, external_id) for each in value)
    if not isinstance(value, dict):
        return False
    ids = value.get("ids")
    if external_id in (value.get("user_id"), value.get("id")) or (isinstance(ids, list) and external_id in ids):
        return True
    return any(_names(each, external_id) for name, each in value.items() if name not in _OPAQUE)


def erase_answers(*, tenant_id: int, external_id: str) -> int:
    """Empties the answers that name the id; says how many they were.

    Call it in the transaction and scope of the person's erasure. The keys stay used: a late retry must not run the
    write again and bring the person back.
    """
    return empty(naming(tenant_id=tenant_id, external_id=external_id))


def empty(answers: QuerySet[IdempotencyKey]) -> int:
    """Empties these answers, whose keys stay used; says how many they were."""
    return answers.update(state=IdempotencyKey.State.ERASED, status=None, headers={}, body=None)
