"""Reads the usual record of a table of events in one step: no value is missing, quoted oddly or out of range.

Every other record is None here and takes the general way, which finds the same values and names every error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from core import external_ids
from recommendations.catalog import timestamps
from recommendations.imports.formats.rows import Record
from recommendations.imports.mapping.cells import MISSING_VALUES, is_blank
from recommendations.imports.models import Import
from recommendations.interactions.event_columns import EventColumns
from recommendations.interactions.event_schema import TYPE_PATTERN, Event
from recommendations.interactions.writing import plain_columns
from recommendations.interactions.writing.plain_columns import MAX_EVENT_ID, MAX_LIST_ID

if TYPE_CHECKING:
    from recommendations.imports.mapping.row_mapping import RowMapping

Reader = Callable[[Record], Event | None]
BlockReader = Callable[[Sequence[Sequence[str]]], EventColumns | None]
_FIELDS = frozenset({"user_id", "item_id", "type", "value", "occurred_at", "event_id", "recommendation_id"})
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z\Z", re.ASCII)
_SECONDS = re.compile(r"[1-9]\d{8,9}\Z", re.ASCII)
# Below validators.MAX_INTEGER, and without a sign or an exponent.
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,15})?\Z", re.ASCII)
_MAX_TYPES = 1000
_FIRST_TIME = datetime(timestamps.MIN_YEAR, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_STAMP, _EPOCH_STAMP = _FIRST_TIME.isoformat(), _EPOCH.isoformat()
# Columns, each cell with a line's end.
_TIMES = re.compile(rf"(?:{_TIME.pattern[:-2]}\n)+", re.ASCII)
_NUMBERS = re.compile(rf"(?:(?:{_NUMBER.pattern[:-2]})?\n)+", re.ASCII)
_LENGTH = len("2026-11-01T08:30:00Z")


def plain_reader(plan: "RowMapping", names: Sequence[str]) -> Reader | None:
    """A reader of the records of a table with these columns; None if the mapping is not a plain one."""
    places = _places(plan, names)
    return None if places is None else _reader(places)


def block_reader(plan: "RowMapping", names: Sequence[str]) -> BlockReader | None:
    """A reader of the columns of neighbouring records, which reads as `plain_reader` does, but all of them or none."""
    places = _places(plan, names)
    return None if places is None else partial(_columns, places)


def _places(plan: "RowMapping", names: Sequence[str]) -> Mapping[str, int] | None:
    if plan.kind != Import.Kind.EVENTS or not plan.is_native or plan.defaults or plan.times.unit != "seconds":
        return None
    fields = dict(plan.meaning.columns)
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        field = fields.get(name, name)
        if field in _FIELDS and field in plan.sources and field not in places:
            places[field] = place
        elif plan.extra != "ignore" or plan.role(name) != "extra":
            return None
    return places if {"user_id", "item_id", "type", "occurred_at"} <= places.keys() else None


def _columns(places: Mapping[str, int], columns: Sequence[Sequence[str]]) -> EventColumns | None:
    """The checked columns of records; each distinct type is looked at once."""
    users, items, kinds, times = (columns[places[name]] for name in ("user_id", "item_id", "type", "occurred_at"))
    names = [*users, *items]
    if not (plain_columns.are_ids(names) and MISSING_VALUES.isdisjoint(names)):
        return None
    types = {cell: _type(cell) for cell in set(kinds)}
    stamps, values = _stamps(times), _values(columns[places["value"]] if "value" in places else ())
    event_ids = _texts(columns[places["event_id"]] if "event_id" in places else (), MAX_EVENT_ID)
    list_ids = _texts(columns[places["recommendation_id"]] if "recommendation_id" in places else (), MAX_LIST_ID)
    if stamps is None or values is None or event_ids is None or list_ids is None or None in types.values():
        return None
    nothing: list[Any] = [None] * len(users)
    return EventColumns(
        users=list(users),
        items=list(items),
        types=[types[cell] or "" for cell in kinds],
        values=values or nothing,
        stamps=stamps,
        event_ids=event_ids or nothing,
        recommendation_ids=list_ids or nothing,
    )


def _stamps(cells: Sequence[str]) -> list[str] | None:
    """The times as `EventColumns` has them."""
    if not _TIMES.fullmatch("\n".join(cells) + "\n"):
        moments = list(map(_moment, cells))
        return None if None in moments else [moment.isoformat() for moment in moments if moment is not None]
    try:
        moments = list(map(datetime.fromisoformat, cells))
    except ValueError:
        return None
    if len("".join(cells)) == _LENGTH * len(cells) and " " not in "".join(cells):
        stamps = [f"{cell[:-1]}+00:00" for cell in cells]
    else:
        stamps = [moment.isoformat() for moment in moments if moment is not None]
    return stamps if min(stamps) >= _FIRST_STAMP and _EPOCH_STAMP not in stamps else None


def _values(cells: Sequence[str]) -> list[float | None] | None:
    """The numbers; empty without cells."""
    if not _NUMBERS.fullmatch("\n".join(cells) + "\n"):
        return None if cells else []
    return [float(cell) if cell else None for cell in cells]


def _texts(cells: Sequence[str], most: int) -> list[str | None] | None:
    """The texts, of which empty ones are null; empty without cells."""
    given = [cell for cell in cells if cell]
    if not (plain_columns.are_texts(given, most) and all(map(str.strip, given)) and MISSING_VALUES.isdisjoint(given)):
        return None
    return [cell or None for cell in cells]


def _reader(places: Mapping[str, int]) -> Reader:
    user_at, item_at, type_at, time_at = (places[name] for name in ("user_id", "item_id", "type", "occurred_at"))
    value_at, id_at, list_at = (places.get(name, -1) for name in ("value", "event_id", "recommendation_id"))
    types: dict[str, str] = {}

    def read(record: Record) -> Event | None:
        row = record.cells
        user, item, kind = row[user_at], row[item_at], types.get(row[type_at])
        if kind is None:
            if (kind := _type(row[type_at])) is None:
                return None
            if len(types) < _MAX_TYPES:
                types[row[type_at]] = kind
        moment = _moment(row[time_at])
        if moment is None or not _is_id(user) or not _is_id(item):
            return None
        value = event_id = recommendation_id = None
        if value_at >= 0 and (text := row[value_at]):
            if not _NUMBER.match(text):
                return None
            value = float(text)
        if id_at >= 0 and (event_id := row[id_at] or None) and not _is_text(event_id, MAX_EVENT_ID):
            return None
        if (
            list_at >= 0
            and (recommendation_id := row[list_at] or None)
            and not _is_text(recommendation_id, MAX_LIST_ID)
        ):
            return None
        return Event(user, item, kind, value, moment, event_id, recommendation_id, None, timed=True)

    return read


def _type(cell: str) -> str | None:
    name = cell.strip().lower()
    return name if not is_blank(cell) and TYPE_PATTERN.match(name) else None


def _moment(cell: str) -> datetime | None:
    if _SECONDS.match(cell):
        seconds = int(cell)
        return datetime.fromtimestamp(seconds, UTC) if seconds >= timestamps.MIN_SECONDS else None
    if not _TIME.match(cell):
        return None
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    return moment if moment >= _FIRST_TIME and moment != _EPOCH else None


def _is_id(cell: str) -> bool:
    if cell.isascii() and cell.replace("-", "").isalnum():
        return len(cell) <= external_ids.MAX_LENGTH and cell not in _WORDS
    return external_ids.find_error(cell, "") is None and not is_blank(cell)


def _is_text(cell: str, most: int) -> bool:
    return len(cell) <= most and cell.isprintable() and not is_blank(cell)


# No id, or no value: both take the general way.
_WORDS = MISSING_VALUES | external_ids.RESERVED
