"""Reading and writing of rows by kind of file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommendations.catalog import end_users, items, schemas
from recommendations.catalog.batch_results import RowResult
from recommendations.catalog.schemas import Notes
from recommendations.imports.models import Import
from recommendations.interactions import event_schema
from recommendations.interactions.event_columns import EventColumns
from recommendations.interactions.writing.file_events import record_file_events


@dataclass(frozen=True, slots=True)
class RowHandler:
    """Reads and writes the rows of a kind of file. `user_ids` returns the user of each row.

    `key` is set if rows with the same id are merged. `collect` makes what the rows are collected in.
    """

    read: Callable[[Any, datetime, Notes], Any]
    write: Callable[[int, Any, datetime], list[RowResult]]
    user_ids: Callable[[Any], Sequence[str]] | None = None
    key: str | None = None
    collect: Callable[[], Any] = list


ROW_HANDLERS = {
    Import.Kind.ITEMS: RowHandler(
        read=lambda row, _now, notes: schemas.read_item_row(row, notes=notes),
        write=lambda tenant_id, rows, now: items.upsert_items(tenant_id=tenant_id, items=rows, now=now),
        key="item_id",
    ),
    Import.Kind.USERS: RowHandler(
        read=lambda row, _now, notes: schemas.read_end_user_row(row, notes=notes),
        write=lambda tenant_id, rows, now: end_users.upsert_end_users(tenant_id=tenant_id, end_users=rows, now=now),
        user_ids=lambda rows: [str(row["user_id"]) for row in rows],
        key="user_id",
    ),
    Import.Kind.EVENTS: RowHandler(
        read=lambda row, now, notes: event_schema.read_event(row, now=now, notes=notes),
        write=lambda tenant_id, rows, now: record_file_events(tenant_id=tenant_id, events=rows, now=now),
        user_ids=lambda rows: list(rows.users),
        collect=EventColumns,
    ),
}
