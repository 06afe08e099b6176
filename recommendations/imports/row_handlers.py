"""How each kind of file is read and written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommendations.catalog import end_users, items, schemas
from recommendations.catalog.batch_results import Outcome
from recommendations.catalog.schemas import Notes
from recommendations.imports.models import Import
from recommendations.interactions import event_schema
from recommendations.interactions.ingest import record


@dataclass(frozen=True, slots=True)
class Reader:
    """How a kind of file is read and written. `person` says whom a row that was read is about.

    `key` is set where rows with one id are put together.
    """

    read: Callable[[Any, datetime, Notes], Any]
    write: Callable[[int, Sequence[Any], datetime], list[Outcome]]
    person: Callable[[Any], str] | None = None
    key: str | None = None


READERS = {
    Import.Kind.ITEMS: Reader(
        read=lambda row, _now, notes: schemas.read_item_row(row, notes=notes),
        write=lambda tenant_id, rows, now: items.upsert_items(tenant_id=tenant_id, items=rows, now=now),
        key="item_id",
    ),
    Import.Kind.USERS: Reader(
        read=lambda row, _now, notes: schemas.read_end_user_row(row, notes=notes),
        write=lambda tenant_id, rows, now: end_users.upsert_end_users(tenant_id=tenant_id, end_users=rows, now=now),
        person=lambda row: str(row["user_id"]),
        key="user_id",
    ),
    Import.Kind.EVENTS: Reader(
        read=lambda row, now, notes: event_schema.read_event(row, now=now, notes=notes),
        write=lambda tenant_id, rows, now: record(tenant_id=tenant_id, events=rows, now=now, plan_first_build=False),
        person=lambda row: str(row.user_id),
    ),
}
