"""Export of all data about a user as one JSON document, streamed."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.catalog.models import EndUser
from recommendations.catalog.selectors import UNKNOWN_USER
from recommendations.privacy.data_registry import DATA_REGISTRY, DataSubject


def export_end_user(*, tenant_id: int, user_id: str, now: datetime) -> Iterator[bytes]:
    """Yields the document in parts: at most a page is in memory, and no transaction is open in between.

    Raises: NotFound, before the first part.
    """
    with scope.tenant(tenant_id):
        user = EndUser.objects.filter(tenant_id=tenant_id, user_id=user_id).first()
    if user is None:
        raise NotFound(UNKNOWN_USER)
    return _document(user, now)


def _document(user: EndUser, now: datetime) -> Iterator[bytes]:
    document = {
        "user_id": user.user_id,
        "attributes": user.attributes,
        "segments": user.segments,
        "locale": user.locale,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_event_at": user.last_event_at,
    }
    yield b'{"exported_at":' + _json(now) + b',"user":' + _json(document)
    subject = DataSubject(user.tenant_id, user.pk, user.user_id)
    for data in DATA_REGISTRY:
        if data.export:
            yield b',"' + data.name.encode() + b'":['
            yield from _entries(data.export(subject))
            yield b"]"
    yield b"}"


def _entries(entries: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """The entries separated by commas, many per part: sending one part per entry costs more than making it."""
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
