"""Changed items that are not ingested yet, read from the catalogue, and the rows that ingestion writes for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from recommendations.algorithms.data.tokenize import terms
from recommendations.catalog import availability
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.models import Build

_MAX_WITHDRAWN = 50_000
_AVAILABLE = availability.available_sql("c")
_CHANGED = f"""
    SELECT c.item_id, c.title, c.description, c.categories, c.attributes, c.updated_at, {_AVAILABLE},
        f.place, f.shown, f.waiting, f.terms, f.near, f.left
    FROM recommendations_item AS c
    LEFT JOIN recommendations_freshitem AS f ON f.build_id = %(build)s AND f.item_id = c.item_id
    WHERE c.tenant_id = %(tenant)s
      AND (c.updated_at >= %(since)s OR c.available_from > %(since)s AND c.available_from <= %(now)s)
      AND (f.id IS NULL OR f.seen_at <> c.updated_at OR f.shown <> {_AVAILABLE})
    ORDER BY c.updated_at, c.id LIMIT %(limit)s
"""  # noqa: S608  # constants only
# Withdrawn items when a build begins, so that their return is recognised as one.
_NOTE_WITHDRAWN = f"""
    INSERT INTO recommendations_freshitem
        (tenant_id, build_id, item_id, revision, seen_at, shown, waiting, terms, near, "left", people)
    SELECT %(tenant)s, %(build)s, c.item_id, row_number() OVER (ORDER BY c.updated_at DESC, c.id),
        c.updated_at, false, false, '', '', '', 0
    FROM recommendations_item AS c
    WHERE c.tenant_id = %(tenant)s AND c.deleted_at IS NULL AND NOT {_AVAILABLE}
    ORDER BY c.updated_at DESC, c.id LIMIT %(limit)s
"""  # noqa: S608  # constants only
_WRITE = """
    INSERT INTO recommendations_freshitem
        (tenant_id, build_id, item_id, revision, place, seen_at, shown, waiting, terms, near, "left", people)
    SELECT %(tenant)s, %(build)s, row.*, 0
    FROM unnest(%(items)s::text[], %(revisions)s::bigint[], %(indices)s::integer[], %(seen)s::timestamptz[],
        %(available)s::boolean[], %(waiting)s::boolean[], %(terms)s::bytea[], %(near)s::bytea[], %(left)s::bytea[])
        AS row
    ORDER BY 2
    ON CONFLICT (build_id, item_id) DO UPDATE SET
        revision = excluded.revision, place = excluded.place, seen_at = excluded.seen_at, shown = excluded.shown,
        waiting = excluded.waiting, terms = excluded.terms, near = excluded.near, "left" = excluded."left"
"""


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """An item to ingest, with what its row says so far (None: it has no row).

    `former_neighbours` are the indices of items whose lists it may have to leave.
    """

    item_id: str
    document: list[str]
    updated_at: datetime
    available: bool
    index: int | None
    was_available: bool | None
    was_waiting: bool
    terms: bytes
    near: bytes
    former_neighbours: bytes


@dataclass(frozen=True, slots=True)
class IngestedItem:
    """A row to write, without its revision."""

    item_id: str
    index: int | None
    seen_at: datetime
    available: bool
    waiting: bool
    terms: bytes
    near: bytes
    former_neighbours: bytes = b""


def read_changed(build: Build, *, since: datetime, now: datetime, limit: int) -> list[ChangedItem]:
    """The next items to ingest, by the time of their change. Call it in the tenant's scope."""
    parameters: dict[str, Any] = {"tenant": build.tenant_id, "build": build.pk, "since": since, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, {**parameters, "limit": limit})
        rows = cursor.fetchall()
    return [
        ChangedItem(
            item_id=row[0],
            document=terms(
                title=row[1], description=row[2], categories=row[3], attributes=item_facts.parsed_object(row[4])
            ),
            updated_at=row[5],
            available=row[6],
            index=row[7],
            was_available=row[8],
            was_waiting=bool(row[9]),
            terms=bytes(row[10] or b""),
            near=bytes(row[11] or b""),
            former_neighbours=bytes(row[12] or b""),
        )
        for row in rows
    ]


def note_withdrawn(build: Build, *, now: datetime) -> None:
    """Writes a row for each withdrawn item. Call it in the tenant's scope."""
    parameters: dict[str, Any] = {"tenant": build.tenant_id, "build": build.pk, "now": now, "limit": _MAX_WITHDRAWN}
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_WITHDRAWN, parameters)


def newest_revision(build: Build) -> int:
    """The newest revision of the build's rows. Call it in the tenant's scope."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(revision), 0) FROM recommendations_freshitem WHERE tenant_id = %s AND build_id = %s",
            [build.tenant_id, build.pk],
        )
        return int(cursor.fetchone()[0])


def write_rows(build: Build, rows: Sequence[IngestedItem], *, after: int) -> None:
    """Writes the rows. Call it in the tenant's scope.

    Raises:
        IntegrityError: Another process has written since the newest revision was `after`.
    """
    parameters: dict[str, Any] = {
        "tenant": build.tenant_id,
        "build": build.pk,
        "items": [row.item_id for row in rows],
        "revisions": [after + 1 + number for number in range(len(rows))],
        "indices": [row.index for row in rows],
        "seen": [row.seen_at for row in rows],
        "available": [row.available for row in rows],
        "waiting": [row.waiting for row in rows],
        "terms": [row.terms for row in rows],
        "near": [row.near for row in rows],
        "left": [row.former_neighbours for row in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, parameters)
