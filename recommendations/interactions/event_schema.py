"""The schema of a single event, and its checked form."""

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec

from recommendations.catalog import timestamps, validators
from recommendations.catalog.schemas import Notes, ObjectSchema

# Clocks differ; a day also tolerates a local time that was sent as UTC.
MAX_AHEAD = timedelta(days=1)
TYPE_PATTERN = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}\Z")


class Event(msgspec.Struct, frozen=True, gc=False):
    """A checked event. `timed` is False if it came without a time: `occurred_at` is then its time of arrival."""

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
    """Checks an event; without `occurred_at` it happens now. Context entries that cannot be kept go to `notes`.

    Raises:
        FieldRefused: With all errors.
    """
    given = EVENT.read_given(raw, pointer, required=("user_id", "item_id", "type"), notes=notes)
    occurred_at = given.get("occurred_at") or now
    check_time(occurred_at, pointer, now=now)
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


def check_time(occurred_at: datetime, pointer: str = "", *, now: datetime) -> None:
    """Raises: FieldRefused for an event more than MAX_AHEAD in the future."""
    if occurred_at > now + MAX_AHEAD:
        detail = f"More than a day in the future.{timestamps.digits_hint(occurred_at.timestamp())}"
        raise validators.refusal(f"{pointer}/occurred_at", "in_future", detail)


def type_name(value: Any, pointer: str) -> str:
    """An event type's name."""
    if not isinstance(value, str) or not TYPE_PATTERN.match(value):
        detail = "Must be 1 to 64 of a-z 0-9 _ . : - and start with a letter or digit, such as view or purchase."
        raise validators.refusal(pointer, "bad_type", detail)
    return value


def amount(value: Any, pointer: str) -> float | None:
    """A rating, price or duration: a number that can be summed without loss; or null."""
    read = validators.optional_number(value, pointer)
    if read is not None and abs(read) > validators.MAX_INTEGER:
        raise validators.refusal(pointer, "too_large", "Must be at most 2^53.")
    return read


EVENT = ObjectSchema(
    key="user_id",
    readers={
        "event_id": validators.text(128),
        "user_id": validators.identifier,
        "item_id": validators.identifier,
        "type": type_name,
        "value": amount,
        "occurred_at": validators.event_time,
        "recommendation_id": validators.text(64),
        "context": validators.flat_object,
    },
    read_only=frozenset({"received_at"}),
    objects=frozenset({"context"}),
)
