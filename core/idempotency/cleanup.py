"""Deletes expired keys, and erases stored answers that name an erased user."""

import json
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from core.idempotency.claims import Scope
from core.idempotency.models import IdempotencyKey
from core.postgres.batches import BATCH_ROWS, delete_in_batches

# Values under a tenant's own names: an `id` in them is not a user's.
_OPAQUE = frozenset({"attributes", "context"})


def purge(*, scope: Scope, now: datetime, batch_rows: int = BATCH_ROWS) -> int:
    """Deletes expired keys, each batch in a transaction of its own; returns how many.

    Safe to run twice at once: rows that another run or a request has locked are left for the next run.
    """
    expired = IdempotencyKey.objects.filter(expires_at__lte=now).order_by("expires_at")
    return delete_in_batches(expired, scope=scope, batch_rows=batch_rows)


def answers_about(*, tenant_id: int, external_id: str) -> QuerySet[IdempotencyKey]:
    """Returns the tenant's stored answers about a user. Reads all answers of the last 24 hours.

    An answer that holds the same text as an item's id or a price is not about the user.
    """
    answered = IdempotencyKey.objects.filter(tenant_id=tenant_id, state=IdempotencyKey.State.DONE)
    named = [_as_json(external_id), _as_json(external_id).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")]
    holds = RawSQL("position(%s in body) > 0 OR position(%s in body) > 0", [text.encode() for text in named])
    holds.output_field = BooleanField()
    bodies = answered.filter(holds).values_list("pk", "body")
    return answered.filter(pk__in=[pk for pk, body in bodies.iterator() if _is_about(bytes(body or b""), external_id)])


def _as_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_about(body: bytes, external_id: str) -> bool:
    try:
        return _names(json.loads(body), external_id)
    except ValueError:
        return True  # unreadable: erase to be safe


def _names(value: Any, external_id: str) -> bool:
    """Returns true if a user's id is this one: `user_id`, `id` of a row's outcome, one of `ids`."""
    if isinstance(value, list):
        return any(_names(element, external_id) for element in value)
    if not isinstance(value, dict):
        return False
    ids = value.get("ids")
    if external_id in (value.get("user_id"), value.get("id")) or (isinstance(ids, list) and external_id in ids):
        return True
    return any(_names(member, external_id) for name, member in value.items() if name not in _OPAQUE)


def erase_answers(*, tenant_id: int, external_id: str) -> int:
    """Erases the answers that name the id; returns how many.

    Call it in the transaction and scope of the user's erasure. The keys stay used: a late retry must not run the
    write again and recreate the user.
    """
    return erase(answers_about(tenant_id=tenant_id, external_id=external_id))


def erase(answers: QuerySet[IdempotencyKey]) -> int:
    """Erases these answers, whose keys stay used; returns how many."""
    return answers.update(state=IdempotencyKey.State.ERASED, status=None, headers={}, body=None)
