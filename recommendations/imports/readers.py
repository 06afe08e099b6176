"""How each kind of file is read and written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommendations.catalog import end_users, items, shapes
from recommendations.catalog.outcomes import Outcome
from recommendations.imports.models import Import
from recommendations.interactions import event
from recommendations.interactions.record import record


@dataclass(frozen=True, slots=True)
class Reader:
    """How a kind of file is read and written. `person` says whom a row that was read is about.

    `key` is set where rows with one id are put together.
    """

    columns: tuple[str, ...]
    required: tuple[str, ...]
    read: Callable[[Any, datetime], Any]
    write: Callable[[int, Sequence[Any], datetime], list[Outcome]]
    person: Callable[[Any], str] | None = None
    key: str | None = None


READERS = {
    Import.Kind.ITEMS: Reader(
        columns=tuple(shapes.ITEM.readers),
        required=("item_id",),
        read=lambda row, _now: shapes.read_item_row(row),
        write=lambda tenant_id, rows, now: items.upsert_items(tenant_id=tenant_id, items=rows, now=now),
        key="item_id",
    ),
    Import.Kind.USERS: Reader(
        columns=tuple(shapes.END_USER.readers),
        required=("user_id",),
        read=lambda row, _now: shapes.read_end_user_row(row),
        write=lambda tenant_id, rows, now: end_users.upsert_end_users(tenant_id=tenant_id, end_users=rows, now=now),
        person=lambda row: str(row["user_id"]),
        key="user_id",
    ),
    Import.Kind.EVENTS: Reader(
        columns=tuple(event.SHAPE.readers),
        required=("user_id", "item_id", "type"),
        read=lambda row, now: event.read_event(row, now=now),
        write=lambda tenant_id, rows, now: record(tenant_id=tenant_id, events=rows, now=now, plan_first_build=False),
        person=lambda row: str(row.user_id),
    ),
}
