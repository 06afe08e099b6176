"""Many rows in one statement: created, updated and unchanged told apart, by the database itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from recommendations.catalog.staging import staged

Row = Mapping[str, Any]


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

    With `tombstones`, a deleted row is still there (`deleted_at`); writing it makes it anew.
    """

    name: str
    key: str
    columns: Mapping[str, str]
    tombstones: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A row that the statement changed. `created` also where a deleted one came back, `fresh` only where none was."""

    values: Mapping[str, Any]
    created: bool
    fresh: bool


def upsert(*, table: Table, tenant_id: int, rows: Sequence[Row], now: datetime) -> dict[str, Written]:
    """Writes the rows, in the order of their keys so that two batches cannot lock each other out.

    Rows must have distinct keys. Returns those that changed anything, by key; the others were there, the same.
    """
    if not rows:
        return {}
    values = [[row[name] for name in table.columns] for row in rows]
    with (
        staged(name=table.key, columns=table.columns, rows=values) as (source, parameters),
        connection.cursor() as cursor,
    ):
        cursor.execute(_statement(table, source), {"tenant": tenant_id, "now": now, **parameters})
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row[table.key]: Written(row, created=row.pop("created"), fresh=row.pop("fresh")) for row in found}


def _statement(table: Table, source: str) -> str:
    """The rows' columns are compared as a whole; `created_at = updated_at` marks a row made by this statement."""
    columns = list(table.columns)
    others = [name for name in columns if name != table.key]
    revive = ", deleted_at = NULL" if table.tombstones else ""
    dead = "old.deleted_at IS NOT NULL" if table.tombstones else "false"
    later = "greatest(excluded.updated_at, old.updated_at + interval '1 microsecond')"
    return f"""
        INSERT INTO {table.name} AS old (tenant_id, {", ".join(columns)}, created_at, updated_at)
        SELECT %(tenant)s, {", ".join(f"r.{name}" for name in columns)}, %(now)s, %(now)s
        FROM {source} AS r ORDER BY r.{table.key}
        ON CONFLICT (tenant_id, {table.key}) DO UPDATE SET
            {", ".join(f"{name} = excluded.{name}" for name in others)}{revive},
            created_at = CASE WHEN {dead} THEN {later} ELSE old.created_at END,
            updated_at = {later}
        WHERE {dead} OR ({", ".join(f"old.{name}" for name in others)})
            IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in others)})
        RETURNING {", ".join(columns)}, created_at = updated_at AS created, xmax = 0 AS fresh
    """  # noqa: S608  # only names from Table
