"""One event as it arrives (api.md, Shapes), checked; and what makes two events the same one."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from recommendations.catalog import fields
from recommendations.catalog.shapes import Shape

# Clocks differ; a day also forgives a local time that was sent as UTC.
MAX_AHEAD = timedelta(days=1)
_TYPE = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}\Z")
_BLANK = "\x1f"  # cannot stand in an id or a type, so joined fields cannot be confused


@dataclass(frozen=True, slots=True)
class Event:
    """A checked event. `digest` are 32 hexadecimal digits: equal digests in one tenant mean one event."""

    user_id: str
    item_id: str
    type: str
    value: float | None
    occurred_at: datetime
    event_id: str | None
    recommendation_id: str | None
    context: dict[str, Any] | None
    digest: str


def read_event(raw: Any, pointer: str = "", *, now: datetime) -> Event:
    """The event; without `occurred_at` it happens now.

    Raises: FieldRefused with all that is wrong.
    """
    given = SHAPE.read_given(raw, pointer, required=("user_id", "item_id", "type"))
    occurred_at = given.get("occurred_at") or now
    if occurred_at > now + MAX_AHEAD:
        detail = "Lies more than a day ahead. Unix time is in seconds, not milliseconds."
        raise fields.refuse(f"{pointer}/occurred_at", "in_future", detail)
    user_id, item_id, kind, value = given["user_id"], given["item_id"], given["type"], given.get("value")
    event_id = given.get("event_id") or None
    return Event(
        user_id=user_id,
        item_id=item_id,
        type=kind,
        value=value,
        occurred_at=occurred_at,
        event_id=event_id,
        recommendation_id=given.get("recommendation_id") or None,
        context=given.get("context") or None,
        digest=_digest(event_id, user_id, item_id, kind, value, occurred_at),
    )


def _digest(
    event_id: str | None, user_id: str, item_id: str, kind: str, value: float | None, occurred_at: datetime
) -> str:
    """BLAKE2b (RFC 7693) at 128 bits: over the event's id, or, without one, over what it says."""
    if event_id is not None:
        said = f"id{_BLANK}{event_id}"
    else:
        said = _BLANK.join(("event", user_id, item_id, kind, repr(value), occurred_at.isoformat()))
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def _occurred_at(value: Any, pointer: str) -> datetime | None:
    """RFC 3339, or Unix seconds; null is now."""
    if value is None or isinstance(value, str):
        return fields.moment(value, pointer)
    seconds = fields.number(value, pointer)
    if seconds < 0:
        raise fields.refuse(pointer, "too_early", "Unix seconds must not be negative; use RFC 3339 before 1970.")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        detail = "There is no such moment. Unix time is in seconds, not milliseconds."
        raise fields.refuse(pointer, "in_future", detail) from None


def type_name(value: Any, pointer: str) -> str:
    """A word for a kind of event."""
    if not isinstance(value, str) or not _TYPE.match(value):
        detail = "A type is 1 to 64 of a-z 0-9 _ . : - and begins with a letter or digit, such as view or purchase."
        raise fields.refuse(pointer, "bad_type", detail)
    return value


SHAPE = Shape(
    key="user_id",
    readers={
        "event_id": fields.text(128),
        "user_id": fields.identifier,
        "item_id": fields.identifier,
        "type": type_name,
        "value": fields.optional_number,
        "occurred_at": _occurred_at,
        "recommendation_id": fields.text(64),
        "context": fields.flat_object,
    },
    read_only=frozenset({"received_at"}),
)
