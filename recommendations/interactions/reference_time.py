"""The reference time from which ages of events are counted: the end of the tenant's data.

Senders choose `occurred_at`. A phone whose clock says 2100, or one event of today among old data, must not make all
other events old. So users are ordered by their newest events, and the newest event of the fifth user counts (of fewer
than nine users, of the one just past the middle). It is never ahead of the server's clock. Data that ended long ago has
a reference time too: its own end.
"""

from datetime import datetime

from django.db import connection

# The number of users with events up to the reference time, and the number that is read to choose it.
USERS = 5
_USERS_READ = 2 * USERS - 1
# Reads one index entry per user, and their newer events.
_AS_OF = """
    WITH RECURSIVE seen AS (
        (
            SELECT i.occurred_at, ARRAY[i.end_user_id] AS users
            FROM recommendations_interaction AS i
            WHERE i.tenant_id = %(tenant)s AND i.occurred_at <= coalesce(%(now)s::timestamptz, statement_timestamp())
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
        )
        UNION ALL
        SELECT other.occurred_at, seen.users || other.end_user_id
        FROM seen CROSS JOIN LATERAL (
            SELECT i.occurred_at, i.end_user_id
            FROM recommendations_interaction AS i
            WHERE i.tenant_id = %(tenant)s AND i.occurred_at <= seen.occurred_at
              AND i.end_user_id <> ALL (seen.users)
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
        ) AS other
        WHERE cardinality(seen.users) < %(users_read)s
    )
    SELECT coalesce(%(now)s::timestamptz, statement_timestamp()), 0 AS users
    UNION ALL SELECT occurred_at, cardinality(users) FROM seen ORDER BY users
"""


def as_of(*, tenant_id: int, now: datetime | None = None) -> datetime:
    """The reference time, at most `now` (default: the database's), which it is for a tenant without events.

    Call it in the tenant's scope.
    """
    with connection.cursor() as cursor:
        cursor.execute(_AS_OF, {"tenant": tenant_id, "now": now, "users_read": _USERS_READ})
        present, *newest = [moment for moment, _ in cursor.fetchall()]
    moment: datetime = newest[_position(len(newest))] if newest else present
    return moment


def _position(users: int) -> int:
    """The position of the reference time among the users' newest events, newest first."""
    return min(USERS, users // 2 + 1) - 1
