"""Reads the events of a usual request straight from its bytes: no field is missing, odd or out of range.

Every other body is None here and takes the general way (`core.http.json_text`, `event_schema.read_event`), which finds
the same events and names every error.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from core.errors import FieldError, InvalidInput
from core.http import json_text
from core.http.json_text import Bounds
from recommendations.catalog import timestamps, validators
from recommendations.catalog.validators import FieldRefused
from recommendations.interactions.event_schema import MAX_AHEAD, TYPE_PATTERN, Event
from recommendations.interactions.writing.plain_columns import MAX_EVENT_ID, MAX_LIST_ID, are_ids, are_texts

# Times in UTC, each with a line's end.
_TIMES = re.compile(r"(?:\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z\n)+", re.ASCII)
_FIRST_TIME = datetime(timestamps.MIN_YEAR, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REQUIRED = 3
_fields = attrgetter("user_id", "item_id", "type", "value", "event_id", "recommendation_id", "occurred_at", "context")


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    user_id: str
    item_id: str
    type: str
    event_id: str | UnsetType | None = UNSET
    value: float | UnsetType | None = UNSET
    occurred_at: str | int | float | UnsetType | None = UNSET
    recommendation_id: str | UnsetType | None = UNSET
    context: msgspec.Raw | UnsetType = UNSET


class _Rows(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    events: list[_Row]


_decode_one: Callable[[bytes], _Row] = msgspec.json.Decoder(_Row).decode
_decode_many: Callable[[bytes], _Rows] = msgspec.json.Decoder(_Rows).decode


def read_one(body: bytes, *, bounds: Bounds, now: datetime) -> Event | None:
    """The event of a body that is one event, or None."""
    try:
        rows = [_decode_one(body)]
    except msgspec.MsgspecError:
        return None
    events = _events(body, rows, commas=0, bounds=bounds, now=now)
    return events[0] if events else None


def read_many(body: bytes, *, bounds: Bounds, most: int, now: datetime) -> list[Event] | None:
    """The events of a body that is `{"events": [...]}` with 1 to `most` events, or None."""
    try:
        rows = _decode_many(body).events
    except msgspec.MsgspecError:
        return None
    if not 1 <= len(rows) <= most:
        return None
    return _events(body, rows, commas=len(rows) - 1, bounds=bounds, now=now)


def _events(body: bytes, rows: Sequence[_Row], *, commas: int, bounds: Bounds, now: datetime) -> list[Event] | None:
    """The events of the rows, which `commas` separate, unless one is unusual. Each column is checked at once."""
    found = body.count(b",")
    if found >= bounds.values or body.count(b"{") + body.count(b"[") > bounds.containers:
        return None
    users, items, types, *optional = (list(column) for column in zip(*map(_fields, rows), strict=True))
    values, event_ids, list_ids, times, raws = optional
    if not (are_ids([*users, *items]) and all(map(TYPE_PATTERN.match, set(types)))):
        return None
    if not (_are_amounts(values) and are_texts(event_ids, MAX_EVENT_ID) and are_texts(list_ids, MAX_LIST_ID)):
        return None
    moments, contexts = _moments(times, now), _contexts(raws, bounds)
    if moments is None or contexts is None:
        return None
    # A name that stands twice is an error, and here only a further comma. Texts with commas take the general way.
    members = sum(len(rows) - column.count(UNSET) for column in optional)
    inner = sum(bytes(raw).count(b",") for raw in raws if raw is not UNSET)
    if found != commas + inner + members + (_REQUIRED - 1) * len(rows):
        return None
    return [
        Event(user, item, kind, amount, moment, event_id or None, list_id or None, context, timed=timed)
        for user, item, kind, amount, (moment, timed), event_id, list_id, context in zip(
            users, items, types, map(_given, values), moments, event_ids, list_ids, contexts, strict=True
        )
    ]


def _given(value: Any) -> Any:
    return None if value is UNSET else value


def _are_amounts(values: Sequence[Any]) -> bool:
    """True for numbers within the bounds; integers beyond them were rounded."""
    numbers = [value for value in values if value.__class__ is float]
    return not numbers or (min(numbers) > -validators.MAX_INTEGER and max(numbers) < validators.MAX_INTEGER)


def _moments(sent: Sequence[Any], now: datetime) -> Sequence[tuple[datetime, bool]] | None:
    """The time of each event, and whether it was sent."""
    try:
        if all(each.__class__ is str for each in sent) and _TIMES.fullmatch("\n".join(sent) + "\n"):
            moments = list(map(datetime.fromisoformat, sent))
            if min(moments) < _FIRST_TIME or _EPOCH in moments:
                return None
            read = [(moment, True) for moment in moments]
        else:
            read = [_moment(each, now) for each in sent]
    except (ValueError, FieldRefused):
        return None
    return read if max(read)[0] <= now + MAX_AHEAD else None


def _moment(sent: Any, now: datetime) -> tuple[datetime, bool]:
    moment = validators.event_time(_given(sent), "")
    return (now, False) if moment is None else (moment, True)


def _contexts(raws: Sequence[Any], bounds: Bounds) -> Sequence[dict[str, Any] | None] | None:
    """The checked contexts; None if one is invalid, or if anything would be left out."""
    if raws.count(UNSET) == len(raws):
        return [None] * len(raws)
    notes: list[FieldError] = []
    try:
        contexts = [
            None if raw is UNSET else validators.flat_object(json_text.parse(bytes(raw), bounds), "", notes) or None
            for raw in raws
        ]
    except (FieldRefused, InvalidInput):
        return None
    return None if notes else contexts
