"""From which moment ages are counted: as far as a tenant's events reach, which no single clock decides.

`occurred_at` is the word of whoever sent the event. A phone whose clock says 2100, or one event of today among a
catalogue of old ones, must not make everybody else's events old. So the moment is the newest event of the person who
is the fifth when people are ordered by their newest events (of fewer than nine, the one just past the middle), and it
never lies ahead of the server's clock. Data that ended long ago has a moment too: its own end.
"""

from datetime import datetime

from django.db import connection

# How many people must have come as far; and how many are looked at to know whether there are that many.
PEOPLE = 5
_LOOKED_AT = 2 * PEOPLE - 1
# One index entry for each person, and for whatever else those who were found did since.
_AS_OF = """
    WITH RECURSIVE seen AS (
        (
            SELECT i.occurred_at, ARRAY[i.end_user_id] AS people
            FROM recommendations_interaction AS i
            WHERE i.tenant_id = %(tenant)s AND i.occurred_at <= coalesce(%(now)s::timestamptz, statement_timestamp())
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
        )
        UNION ALL
        SELECT other.occurred_at, seen.people || other.end_user_id
        FROM seen CROSS JOIN LATERAL (
            SELECT i.occurred_at, i.end_user_id
            FROM recommendations_interaction AS i
            WHERE i.tenant_id = %(tenant)s AND i.occurred_at <= seen.occurred_at
              AND i.end_user_id <> ALL (seen.people)
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
        ) AS other
        WHERE cardinality(seen.people) < %(looked_at)s
    )
    SELECT coalesce(%(now)s::timestamptz, statement_timestamp()), 0 AS people
    UNION ALL SELECT occurred_at, cardinality(people) FROM seen ORDER BY people
"""


def as_of(*, tenant_id: int, now: datetime | None = None) -> datetime:
    """The moment, at most `now` (the database's if not given), which it is for a tenant without events.

    Call it in the tenant's scope.
    """
    with connection.cursor() as cursor:
        cursor.execute(_AS_OF, {"tenant": tenant_id, "now": now, "looked_at": _LOOKED_AT})
        present, *newest = [moment for moment, _ in cursor.fetchall()]
    moment: datetime = newest[_place(len(newest))] if newest else present
    return moment


def _place(people: int) -> int:
    """Where the moment stands among people's newest events, newest first."""
    return min(PEOPLE, people // 2 + 1) - 1
