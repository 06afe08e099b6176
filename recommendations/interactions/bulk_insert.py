"""The one statement that writes interactions."""

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
        SELECT nextval(pg_get_serial_sequence('recommendations_interaction', 'id')) AS id, ordered.*
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
    SELECT digest, end_user_id FROM inserted
"""


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
        cursor.execute(_INSERT.format(source=source), {"tenant": tenant_id, "now": now, **parameters})
        return {digest.hex: end_user for digest, end_user in cursor.fetchall()}
