"""Bulk upsert. The database itself tells created, updated and unchanged rows apart."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from core.errors import FieldError
from recommendations.catalog import merging
from recommendations.catalog.bulk_load import staged_rows
from recommendations.catalog.merging import Row
from recommendations.catalog.validators import FieldRefused

__all__ = ["Check", "Row", "Table", "UpsertResult", "Version", "WrittenRow", "unconditional", "upsert"]


@dataclass(frozen=True, slots=True)
class Version:
    """A row and its state: `updated_at` grows with every change, and a new row has a new key."""

    row: int
    updated_at: datetime


Check = Callable[[Version | None], None]


def unconditional(_version: Version | None) -> None:
    """The check of an unconditional write."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with an external key. `columns` maps the written columns, the key included, to their SQL types.

    `empty` holds the defaults of a new row; `check` may reject a whole row (FieldRefused). With `tombstones`, deleted
    rows stay (`deleted_at`), and writing one recreates it.
    """

    name: str
    key: str
    columns: Mapping[str, str]
    empty: Mapping[str, Any]
    check: Callable[[Row], None]
    tombstones: bool = False


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """A changed row. `created` is also set for a recreated row, `is_new` only if there was none."""

    values: Row
    created: bool
    is_new: bool


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """Changed and rejected rows, by key; the others were unchanged.

    `emptied` names the fields of a row that had a value before and have none now.
    """

    written: dict[str, WrittenRow] = field(default_factory=dict)
    rejected: dict[str, tuple[FieldError, ...]] = field(default_factory=dict)
    emptied: dict[str, tuple[str, ...]] = field(default_factory=dict)


def upsert(*, table: Table, tenant_id: int, rows: Sequence[Row], now: datetime) -> UpsertResult:
    """Writes the rows; fields that a row does not name stay as they are. Rows with the same key are merged, in order.

    One statement in key order inserts new rows and locks the others: two batches cannot deadlock, and nothing changes
    between the read and the write.
    """
    result = UpsertResult()
    partial = merging.merge_by_key(rows, table.key)
    new = {key: merging.complete_row(table.empty, row) for key, row in partial.items()}
    rejected = _check(table, new, result)
    inserted = _insert(table, tenant_id, [row for key, row in new.items() if key not in rejected], now)
    result.written.update({key: WrittenRow(new[key], created=True, is_new=True) for key in inserted})
    known = [key for key in partial if key not in inserted and key not in rejected]
    stored = _stored_rows(table, tenant_id, known)
    full = {key: merging.complete_row(stored[key], partial[key]) for key in known}
    rejected = _check(table, full, result)
    changed = _update(table, tenant_id, [row for key, row in full.items() if key not in rejected], now)
    for key, created in changed.items():
        result.written[key] = WrittenRow(full[key], created=created, is_new=False)
        if emptied := merging.emptied_fields(stored[key], full[key]):
            result.emptied[key] = emptied
    return result


def _check(table: Table, rows: Mapping[str, Row], result: UpsertResult) -> set[str]:
    """The keys of invalid rows, whose errors go to the result."""
    rejected = set()
    for key, row in rows.items():
        try:
            table.check(row)
        except FieldRefused as error:
            result.rejected[key] = error.errors
            rejected.add(key)
    return rejected


def _insert(table: Table, tenant_id: int, rows: Sequence[Row], now: datetime) -> set[str]:
    """Inserts new rows and locks existing ones; returns the keys of the new rows.

    `WHERE false` leaves an existing row unchanged, but locked (PostgreSQL, INSERT, ON CONFLICT clause).
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
    """Writes the rows that differ from the stored ones, as the database compares.

    Returns:
        The changed keys; True for a recreated row, which has `created_at = updated_at`.
    """
    others = {name: sql_type for name, sql_type in table.columns.items() if name != table.key}
    is_deleted = "t.deleted_at IS NOT NULL" if table.tombstones else "false"
    later = "greatest(%(now)s, t.updated_at + interval '1 microsecond')"
    old, new = (", ".join(f"{row}.{name}::{sql_type}" for name, sql_type in others.items()) for row in ("t", "r"))
    statement = f"""
        UPDATE {table.name} AS t SET
            {", ".join(f"{name} = r.{name}" for name in others)}{", deleted_at = NULL" if table.tombstones else ""},
            created_at = CASE WHEN {is_deleted} THEN {later} ELSE t.created_at END,
            updated_at = {later}
        FROM {{source}} AS r
        WHERE t.tenant_id = %(tenant)s AND t.{table.key} = r.{table.key}
            AND ({is_deleted} OR ({old}) IS DISTINCT FROM ({new}))
        RETURNING t.{table.key}, t.created_at = t.updated_at
    """  # noqa: S608  # only names from Table
    return dict(_run(table, statement, tenant_id, rows, now))


def _run(table: Table, statement: str, tenant_id: int, rows: Sequence[Row], now: datetime) -> list[Any]:
    if not rows:
        return []
    values = [[row[name] for name in table.columns] for row in rows]
    with (
        staged_rows(name=table.key, columns=table.columns, rows=values) as (source, parameters),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(source=source), {"tenant": tenant_id, "now": now, **parameters})
        changed: list[Any] = cursor.fetchall()
    return changed


def _stored_rows(table: Table, tenant_id: int, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows with these keys, which the caller has locked."""
    if not keys:
        return {}
    names = list(table.columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(names)} FROM {table.name} WHERE tenant_id = %s AND {table.key} = ANY(%s)",  # noqa: S608  # only names from Table
            [tenant_id, list(keys)],
        )
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    objects = [name for name, sql_type in table.columns.items() if sql_type == "jsonb"]
    return {row[table.key]: {**row, **{name: json.loads(row[name]) for name in objects}} for row in rows}
