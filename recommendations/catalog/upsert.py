"""Many rows at once: created, updated and unchanged told apart, by the database itself."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from core.errors import FieldError
from recommendations.catalog import merging
from recommendations.catalog.bulk_load import staged
from recommendations.catalog.merging import Row
from recommendations.catalog.validators import FieldRefused

__all__ = ["Check", "Row", "Table", "Upserted", "Version", "Written", "unconditional", "upsert"]


@dataclass(frozen=True, slots=True)
class Version:
    """Which state of which row: a row's `updated_at` grows with every change, and a new row has a new number."""

    row: int
    updated_at: datetime


Check = Callable[[Version | None], None]


def unconditional(_version: Version | None) -> None:
    """The check of a write that accepts any state."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is filled by external key. `columns` maps the written ones to their types, the key included.

    `empty` holds what a new row has where nothing is said; `check` refuses a whole row (FieldRefused). With
    `tombstones`, a deleted row is still there (`deleted_at`); writing it makes it anew.
    """

    name: str
    key: str
    columns: Mapping[str, str]
    empty: Mapping[str, Any]
    check: Callable[[Row], None]
    tombstones: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A row that was changed. `created` also where a deleted one came back, `fresh` only where none was."""

    values: Row
    created: bool
    fresh: bool


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of the rows, by key: those that changed anything, those that were refused; the others were there.

    `emptied` names the fields of rows that held something before and hold nothing now.
    """

    written: dict[str, Written] = field(default_factory=dict)
    refused: dict[str, tuple[FieldError, ...]] = field(default_factory=dict)
    emptied: dict[str, tuple[str, ...]] = field(default_factory=dict)


def upsert(*, table: Table, tenant_id: int, rows: Sequence[Row], now: datetime) -> Upserted:
    """Writes the rows; fields that a row does not name stay as they are. Rows of one key are put together, in order.

    New rows are inserted, the others locked, by one statement in the order of the keys: two batches cannot lock each
    other out, and nothing changes between what is read here and what is written.
    """
    result = Upserted()
    wanted = merging.by_key(rows, table.key)
    fresh = {key: merging.completed(table.empty, row) for key, row in wanted.items()}
    refused = _check(table, fresh, result)
    inserted = _insert(table, tenant_id, [row for key, row in fresh.items() if key not in refused], now)
    result.written.update({key: Written(fresh[key], created=True, fresh=True) for key in inserted})
    known = [key for key in wanted if key not in inserted and key not in refused]
    stored = _stored(table, tenant_id, known)
    full = {key: merging.completed(stored[key], wanted[key]) for key in known}
    refused = _check(table, full, result)
    changed = _update(table, tenant_id, [row for key, row in full.items() if key not in refused], now)
    for key, created in changed.items():
        result.written[key] = Written(full[key], created=created, fresh=False)
        if gone := merging.emptied(stored[key], full[key]):
            result.emptied[key] = gone
    return result


def _check(table: Table, rows: Mapping[str, Row], result: Upserted) -> set[str]:
    """The keys of rows that may not be written as they would be, noted in the result."""
    refused = set()
    for key, row in rows.items():
        try:
            table.check(row)
        except FieldRefused as error:
            result.refused[key] = error.errors
            refused.add(key)
    return refused


def _insert(table: Table, tenant_id: int, rows: Sequence[Row], now: datetime) -> set[str]:
    """Inserts the rows that are not there, and locks those that are; the keys of the former.

    `WHERE false` leaves the row as it is, and locked (PostgreSQL, INSERT, ON CONFLICT clause).
    """
    columns = ", ".join(table.columns)
    statement = f"""
        INSERT INTO {table.name} AS t (tenant_id, {columns}, created_at, updated_at)
        SELECT %(tenant)s, {", ".join(f"r.{name}" for name in table.columns)}, %(now)s, %(now)s
        FROM {{source}} AS r ORDER BY r.{table.key}
        ON CONFLICT (tenant_id, {table.key}) DO UPDATE SET updated_at = t.updated_at WHERE false
        RETURNING t.{table.key}
    """  # noqa: S608  # only names from Table
    return {key for (key,) in _run(table, statement, tenant_id, rows, now)}


def _update(table: Table, tenant_id: int, rows: Sequence[Row], now: datetime) -> dict[str, bool]:
    """Writes the rows that differ from the stored ones (as the database compares); their keys, True for revived ones.

    `created_at = updated_at` marks a row made by this statement.
    """
    others = {name: kind for name, kind in table.columns.items() if name != table.key}
    dead = "t.deleted_at IS NOT NULL" if table.tombstones else "false"
    later = "greatest(%(now)s, t.updated_at + interval '1 microsecond')"
    old, new = (", ".join(f"{row}.{name}::{kind}" for name, kind in others.items()) for row in ("t", "r"))
    statement = f"""
        UPDATE {table.name} AS t SET
            {", ".join(f"{name} = r.{name}" for name in others)}{", deleted_at = NULL" if table.tombstones else ""},
            created_at = CASE WHEN {dead} THEN {later} ELSE t.created_at END,
            updated_at = {later}
        FROM {{source}} AS r
        WHERE t.tenant_id = %(tenant)s AND t.{table.key} = r.{table.key}
            AND ({dead} OR ({old}) IS DISTINCT FROM ({new}))
        RETURNING t.{table.key}, t.created_at = t.updated_at
    """  # noqa: S608  # only names from Table
    return dict(_run(table, statement, tenant_id, rows, now))


def _run(table: Table, statement: str, tenant_id: int, rows: Sequence[Row], now: datetime) -> list[Any]:
    if not rows:
        return []
    values = [[row[name] for name in table.columns] for row in rows]
    with (
        staged(name=table.key, columns=table.columns, rows=values) as (source, parameters),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(source=source), {"tenant": tenant_id, "now": now, **parameters})
        found: list[Any] = cursor.fetchall()
    return found


def _stored(table: Table, tenant_id: int, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows of these keys. Call it where they are locked."""
    if not keys:
        return {}
    names = list(table.columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(names)} FROM {table.name} WHERE tenant_id = %s AND {table.key} = ANY(%s)",  # noqa: S608  # only names from Table
            [tenant_id, list(keys)],
        )
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    objects = [name for name, kind in table.columns.items() if kind == "jsonb"]
    return {row[table.key]: {**row, **{name: json.loads(row[name]) for name in objects}} for row in rows}
