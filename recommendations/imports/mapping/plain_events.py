"""Reads the usual record of a table of events in one step: no value is missing, quoted oddly or out of range.

Every other record is None here and takes the general way, which finds the same values and names every error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core import external_ids
from recommendations.catalog import timestamps
from recommendations.imports.formats.rows import Record
from recommendations.imports.mapping import cells
from recommendations.imports.models import Import
from recommendations.interactions.event_schema import TYPE_PATTERN, Event

if TYPE_CHECKING:
    from recommendations.imports.mapping.row_mapping import RowMapping

Reader = Callable[[Record], Event | None]
_FIELDS = frozenset({"user_id", "item_id", "type", "value", "occurred_at", "event_id", "recommendation_id"})
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z\Z", re.ASCII)
_SECONDS = re.compile(r"[1-9]\d{8,9}\Z", re.ASCII)
# Below validators.MAX_INTEGER, and without a sign or an exponent.
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,15})?\Z", re.ASCII)
_MAX_TYPES = 1000
_FIRST_TIME = datetime(timestamps.MIN_YEAR, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain_reader(plan: "RowMapping", names: Sequence[str]) -> Reader | None:
    """A reader of the records of a table with these columns; None if the mapping is not a plain one."""
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
    if not {"user_id", "item_id", "type", "occurred_at"} <= places.keys():
        return None
    return _reader(places)


def _reader(places: Mapping[str, int]) -> Reader:
    user_at, item_at, type_at, time_at = (places[name] for name in ("user_id", "item_id", "type", "occurred_at"))
    value_at, id_at, list_at = (places.get(name, -1) for name in ("value", "event_id", "recommendation_id"))
    types: dict[str, str] = {}

    def read(record: Record) -> Event | None:
        row = record.cells
        user, item, kind = row[user_at], row[item_at], types.get(row[type_at])
        if kind is None and (kind := _type(row[type_at], types)) is None:
            return None
        moment = _moment(row[time_at])
        if moment is None or not _is_id(user) or not _is_id(item):
            return None
        value = event_id = recommendation_id = None
        if value_at >= 0 and (text := row[value_at]):
            if not _NUMBER.match(text):
                return None
            value = float(text)
        if id_at >= 0 and (event_id := row[id_at] or None) and not _is_text(event_id, 128):
            return None
        if list_at >= 0 and (recommendation_id := row[list_at] or None) and not _is_text(recommendation_id, 64):
            return None
        return Event(user, item, kind, value, moment, event_id, recommendation_id, None, timed=True)

    return read


def _type(cell: str, types: dict[str, str]) -> str | None:
    name = cell.strip().lower()
    if cells.is_blank(cell) or not TYPE_PATTERN.match(name):
        return None
    if len(types) < _MAX_TYPES:
        types[cell] = name
    return name


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
    return external_ids.find_error(cell, "") is None and not cells.is_blank(cell)


def _is_text(cell: str, most: int) -> bool:
    return len(cell) <= most and cell.isprintable() and not cells.is_blank(cell)


# No id, or no value: both take the general way.
_WORDS = cells.MISSING_VALUES | external_ids.RESERVED
