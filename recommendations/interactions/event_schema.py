"""One event as it arrives (api.md, Shapes), checked."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from recommendations.catalog import timestamps, validators
from recommendations.catalog.schemas import Notes, Shape

# Clocks differ; a day also forgives a local time that was sent as UTC.
MAX_AHEAD = timedelta(days=1)
TYPE = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Event:
    """A checked event. `timed`: it says itself when it was; otherwise it was when it came."""

    user_id: str
    item_id: str
    type: str
    value: float | None
    occurred_at: datetime
    event_id: str | None
    recommendation_id: str | None
    context: dict[str, Any] | None
    timed: bool


def read_event(raw: Any, pointer: str = "", *, now: datetime, notes: Notes | None = None) -> Event:
    """The event; without `occurred_at` it happens now. Entries of the context may be left out (`notes`), as attributes.

    Raises: FieldRefused with all that is wrong.
    """
    given = SHAPE.read_given(raw, pointer, required=("user_id", "item_id", "type"), notes=notes)
    occurred_at = given.get("occurred_at") or now
    if occurred_at > now + MAX_AHEAD:
        detail = f"Lies more than a day ahead.{timestamps.digits_hint(occurred_at.timestamp())}"
        raise validators.refuse(f"{pointer}/occurred_at", "in_future", detail)
    return Event(
        user_id=given["user_id"],
        item_id=given["item_id"],
        type=given["type"],
        value=given.get("value"),
        occurred_at=occurred_at,
        event_id=given.get("event_id") or None,
        recommendation_id=given.get("recommendation_id") or None,
        context=given.get("context") or None,
        timed=given.get("occurred_at") is not None,
    )


def type_name(value: Any, pointer: str) -> str:
    """A word for a kind of event."""
    if not isinstance(value, str) or not TYPE.match(value):
        detail = "A type is 1 to 64 of a-z 0-9 _ . : - and begins with a letter or digit, such as view or purchase."
        raise validators.refuse(pointer, "bad_type", detail)
    return value


def amount(value: Any, pointer: str) -> float | None:
    """A rating, a price, a duration: a number that adds up with others without loss; or null."""
    read = validators.optional_number(value, pointer)
    if read is not None and abs(read) > validators.MAX_INTEGER:
        raise validators.refuse(pointer, "too_large", "A value may be at most 2^53.")
    return read


SHAPE = Shape(
    key="user_id",
    readers={
        "event_id": validators.text(128),
        "user_id": validators.identifier,
        "item_id": validators.identifier,
        "type": type_name,
        "value": amount,
        "occurred_at": validators.occurrence,
        "recommendation_id": validators.text(64),
        "context": validators.flat_object,
    },
    read_only=frozenset({"received_at"}),
    objects=frozenset({"context"}),
)
