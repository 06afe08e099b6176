"""The one statement that writes interactions."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from recommendations.catalog.bulk_load import staged_rows

COLUMNS = {
    "position": "integer",
    "occurred_at": "timestamptz",
    "received_at": "timestamptz",
    "end_user_id": "bigint",
    "item_id": "bigint",
    "digest": "uuid",
    "type_id": "integer",
    "value": "double precision",
    "event_id": "text",
    "recommendation_id": "text",
    "context": "jsonb",
}
# Ids are assigned in the order of the rows, which breaks ties in time. Rows are written in the order of their digests,
# so that two batches cannot deadlock. An event that names a recommendation is queued for attribution.
_INSERT = """
    WITH numbered AS MATERIALIZED (
        SELECT nextval('recommendations_interaction_id_seq'::regclass) AS id, ordered.*
        FROM (SELECT * FROM {source} AS r ORDER BY position) AS ordered
    ), inserted AS (
        INSERT INTO recommendations_interaction (
            id, tenant_id, received_at, occurred_at, end_user_id, item_id, digest, type_id, value,
            event_id, recommendation_id, context
        )
        SELECT id, %(tenant)s, received_at, occurred_at, end_user_id, item_id, digest, type_id, value,
            event_id, recommendation_id, context
        FROM numbered ORDER BY digest, id
        ON CONFLICT (tenant_id, digest) DO NOTHING
        RETURNING id, digest, end_user_id, recommendation_id
    ), queued AS (
        INSERT INTO recommendations_feedback (tenant_id, interaction_id, noted_at, due_at, attempts)
        SELECT %(tenant)s, id, %(now)s, %(now)s, 0 FROM inserted WHERE recommendation_id IS NOT NULL
    )
    {result}
"""
_NEW = "SELECT digest, end_user_id FROM inserted"
_NOT_NEW = """
    SELECT CASE WHEN (SELECT count(*) FROM inserted) < %(count)s THEN ARRAY(
        SELECT digest FROM numbered AS n WHERE NOT EXISTS (SELECT 1 FROM inserted WHERE inserted.digest = n.digest)
    ) END
"""
_STAGING = f"CREATE TEMPORARY TABLE staging_events ({', '.join(map(' '.join, COLUMNS.items()))}) ON COMMIT DROP"
NULL = "\\N"  # as COPY reads it
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def insert_events(*, tenant_id: int, rows: Sequence[Sequence[Any]], now: datetime) -> dict[str, int]:
    """Writes the rows (values in the order of COLUMNS) that are not stored yet; of equal ones the first.

    Returns:
        The primary key of the user by the digest of each new row.
    """
    if not rows:
        return {}
    with (
        staged_rows(name="interaction", columns=COLUMNS, rows=rows) as (source, parameters),
        connection.cursor() as cursor,
    ):
        cursor.execute(_INSERT.format(source=source, result=_NEW), {"tenant": tenant_id, "now": now, **parameters})
        return {digest.hex: end_user for digest, end_user in cursor.fetchall()}


def copy_events(*, tenant_id: int, text: str, count: int, now: datetime) -> set[str]:
    """Writes `count` rows that are not stored yet, given as COPY reads COLUMNS, by way of a temporary table.

    PostgreSQL allows no COPY into a table with row-level security. Call it inside a transaction.

    Returns:
        The digests of rows that were stored before.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        with cursor.copy(f"COPY staging_events ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            copy.write(text)
        parameters: dict[str, Any] = {"tenant": tenant_id, "now": now, "count": count}
        cursor.execute(_INSERT.format(source="staging_events", result=_NOT_NEW), parameters)
        (old,) = cursor.fetchone()
        cursor.execute("DROP TABLE staging_events")
    return {digest.hex for digest in old or ()}


def json_text(context: dict[str, Any] | None) -> str | None:
    """The text of a context."""
    return None if context is None else json.dumps(context)


def copy_cell(text: str | None) -> str:
    """A text as COPY reads it."""
    return NULL if text is None else _SPECIAL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES[found[0]]
