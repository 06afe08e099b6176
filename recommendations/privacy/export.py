"""Everything that is held about a person, as one JSON document that is made while it is sent."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.catalog.models import EndUser
from recommendations.privacy.data_registry import HOLDINGS, Subject


def export_end_user(*, tenant_id: int, user_id: str, now: datetime) -> Iterator[bytes]:
    """The document in parts, each as it is read: no more than a page is held, and no transaction is open in between.

    Raises: NotFound, before the first part.
    """
    with scope.tenant(tenant_id):
        person = EndUser.objects.filter(tenant_id=tenant_id, user_id=user_id).first()
    if person is None:
        raise NotFound("There is no such end user.")
    return _document(person, now)


def _document(person: EndUser, now: datetime) -> Iterator[bytes]:
    user = {
        "user_id": person.user_id,
        "attributes": person.attributes,
        "segments": person.segments,
        "locale": person.locale,
        "created_at": person.created_at,
        "updated_at": person.updated_at,
        "last_event_at": person.last_event_at,
    }
    yield b'{"exported_at":' + _json(now) + b',"user":' + _json(user)
    subject = Subject(person.tenant_id, person.pk, person.user_id)
    for holding in HOLDINGS:
        if holding.export:
            yield b',"' + holding.name.encode() + b'":['
            yield from _entries(holding.export(subject))
            yield b"]"
    yield b"}"


def _entries(entries: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """The entries with their commas, some at a time: one small part for each would cost more than making it."""
    part: list[bytes] = []
    first = True
    for entry in entries:
        part.append(_json(entry) if first else b"," + _json(entry))
        first = False
        if len(part) >= 200:
            yield b"".join(part)
            part = []
    if part:
        yield b"".join(part)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_stamp).encode()


def _stamp(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
