"""Deletion of old events, in batches."""

from datetime import datetime

from django.db import connection

from accounts.tenancy import scope

BATCH = 5000
# By the index on tenant and time, so that the cost of a batch does not depend on the size of the table.
_DELETE = """
    DELETE FROM recommendations_interaction WHERE id IN (
        SELECT id FROM recommendations_interaction
        WHERE tenant_id = %s AND occurred_at < %s ORDER BY occurred_at, id LIMIT %s
    )
"""


def delete_old_events(*, tenant_id: int, before: datetime, batches: int) -> int:
    """Deletes events that happened before, each batch in its own transaction; returns the number of deleted events."""
    deleted = 0
    for _ in range(batches):
        with scope.tenant(tenant_id), connection.cursor() as cursor:
            cursor.execute(_DELETE, [tenant_id, before, BATCH])
            count: int = cursor.rowcount
        deleted += count
        if count < BATCH:
            break
    return deleted
