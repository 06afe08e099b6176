"""The rows of a chunk: the valid ones, the errors of the others, and those of erased users."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from core.errors import FieldError
from recommendations.catalog.models import EndUser
from recommendations.catalog.validators import FieldRefused
from recommendations.erasures import log
from recommendations.imports.formats.rows import Block, Line
from recommendations.imports.row_handlers import RowHandler
from recommendations.interactions import event_schema
from recommendations.interactions.event_columns import EventColumns

RowErrors = list[tuple[int, tuple[FieldError, ...]]]
_ERASED = FieldError(
    "/user_id",
    "erased_person",
    "This user was erased. Imports restore neither the user nor events from before the erasure; the API may create it.",
)


class Rows(NamedTuple):
    """Line numbers and checked values of rows: a list, or `EventColumns`."""

    numbers: list[int]
    values: Any


class ReadRows(NamedTuple):
    """The valid rows, the errors of rejected ones, and notes on omitted values of valid ones."""

    rows: Rows
    rejected: RowErrors
    notes: RowErrors


def read_rows(handler: RowHandler, lines: Sequence[Line | Block], now: datetime) -> ReadRows:
    """Checks the rows; those without a time get `now`."""
    read = ReadRows(Rows([], handler.collect()), [], [])
    for line in lines:
        if isinstance(line, Block):
            _add_block(read, line, now)
        elif line.value is not None:
            _add_event(read, line.number, line.value, now)
        elif line.row is None:
            read.rejected.append((line.number, line.errors))
        else:
            _add_row(read, handler, line.number, line.row, list(line.notes), now)
    return read


def _add_block(read: ReadRows, block: Block, now: datetime) -> None:
    events: EventColumns = block.values
    if max(events.stamps) <= (now + event_schema.MAX_AHEAD).astimezone(UTC).isoformat():
        read.rows.numbers.extend(range(block.first, block.first + len(events)))
        read.rows.values.extend(events)
        return
    for place, event in events.events().items():
        _add_event(read, block.first + place, event, now)


def _add_event(read: ReadRows, number: int, event: Any, now: datetime) -> None:
    try:
        event_schema.check_time(event.occurred_at, now=now)
    except FieldRefused as error:
        read.rejected.append((number, error.errors))
        return
    read.rows.numbers.append(number)
    read.rows.values.append(event)


def _add_row(
    read: ReadRows,
    handler: RowHandler,
    number: int,
    row: Mapping[str, Any],
    omitted: list[FieldError],
    now: datetime,
) -> None:
    try:
        value = handler.read(row, now, omitted)
    except FieldRefused as error:
        read.rejected.append((number, error.errors))
        return
    read.rows.numbers.append(number)
    read.rows.values.append(value)
    if omitted:
        read.notes.append((number, tuple(omitted)))


def without_erased(tenant_id: int, handler: RowHandler, rows: Rows) -> tuple[Rows, RowErrors]:
    """Rejects rows of users in the erasure log, as files may be older than the erasure.

    Events from after the erasure are kept, and so are rows of users who have returned by themselves.
    """
    if handler.user_ids is None:
        return rows, []
    user_ids = handler.user_ids(rows.values)
    erased = log.erased_among(tenant_id=tenant_id, user_ids=set(user_ids))
    if not erased:
        return rows, []
    returned = set(
        EndUser.objects.filter(tenant_id=tenant_id, user_id__in=list(erased))
        .order_by()
        .values_list("user_id", flat=True)
    )
    kept: list[int] = []
    rejected: RowErrors = []
    for place, user_id in enumerate(user_ids):
        if user_id in erased and _is_refused(rows.values, place, erased[user_id], returned=user_id in returned):
            rejected.append((rows.numbers[place], (_ERASED,)))
        else:
            kept.append(place)
    values = rows.values
    remaining = values.take(kept) if isinstance(values, EventColumns) else [values[place] for place in kept]
    return Rows([rows.numbers[place] for place in kept], remaining), rejected


def _is_refused(values: Any, place: int, erased_at: datetime, *, returned: bool) -> bool:
    if not isinstance(values, EventColumns):
        return not returned
    event = values.event(place)
    return not event.timed or event.occurred_at <= erased_at
