"""Claims on users that wait for near line, by marks in the user's row.

A dirty mark is cleared by a list that was made from a history read after the mark. The version of the row (PostgreSQL's
xmin) tells if there were newer events: every event changes the row in its own transaction. No clocks are compared, and
no event is lost between the read and its effect. A claim is a mark in the future: of two workers one gets the user.
"""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection

from accounts.tenancy import scope
from recommendations.metrics import NEARLINE_WAIT_SECONDS

# A claimed mark lies this far in the future and can be claimed again in the second half of the time, so that clocks
# that differ by less never take a mark for a claim.
CLAIM_SECONDS = 60
_SERVING = """
    SELECT FROM recommendations_placement AS placement
    JOIN recommendations_build AS build ON build.id = placement.active_build_id
    WHERE placement.tenant_id = %(tenant)s AND build.artefact_id IS NOT NULL
"""
# The requested users are waited for if a transaction with new events holds them: it did not enqueue them again.
_CLAIM = f"""
    WITH requested AS (
        SELECT id, dirty_at FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s)
          AND dirty_at <= statement_timestamp() + make_interval(secs => %(claim)s / 2.0)
          AND EXISTS ({_SERVING})
        ORDER BY id FOR NO KEY UPDATE
    ), others AS (
        SELECT id, dirty_at FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id <> ALL (%(pks)s)
          AND dirty_at <= statement_timestamp() - make_interval(secs => %(waited)s)
          AND EXISTS ({_SERVING})
        ORDER BY dirty_at LIMIT %(room)s FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS u SET dirty_at = statement_timestamp() + make_interval(secs => %(claim)s)
    FROM (SELECT id, dirty_at FROM requested UNION ALL SELECT id, dirty_at FROM others) AS claimed
    WHERE u.id = claimed.id
    RETURNING u.id, extract(epoch FROM statement_timestamp() - claimed.dirty_at)::float
"""  # noqa: S608  # constants only
_WAITING = f"""
    SELECT EXISTS (
        SELECT FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND dirty_at <= statement_timestamp() - make_interval(secs => %(waited)s)
    ) AND EXISTS ({_SERVING})
"""  # noqa: S608  # constants only
_RELEASE = """
    UPDATE recommendations_enduser SET dirty_at = statement_timestamp()
    WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s) AND dirty_at > statement_timestamp()
"""
# Rows that a transaction with new events holds are skipped: it is about to mark them itself.
_MARK = """
    WITH idle AS (
        SELECT id FROM recommendations_enduser WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS u SET dirty_at = coalesce(u.dirty_at, statement_timestamp())
    FROM idle WHERE u.id = idle.id
"""
_CLEAR = """
    WITH idle AS (
        SELECT id FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s) AND dirty_at IS NOT NULL
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS u SET dirty_at = NULL
    FROM idle, unnest(%(pks)s::bigint[], %(versions)s::bigint[]) AS seen (id, version)
    WHERE u.id = idle.id AND seen.id = idle.id AND u.xmin::text::bigint = seen.version
    RETURNING u.id
"""


def claim_users(*, tenant_id: int, pks: Collection[int], together: int, waited: float) -> list[int]:
    """Claims those of the users that wait and that no other worker has; returns their primary keys.

    Others that have waited for this many seconds come along, the longest first, up to `together` in all: many users at
    once cost little more than one. Without a serving build nothing is claimed.
    """
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "pks": list(pks),
        "claim": CLAIM_SECONDS,
        "waited": waited,
        "room": max(0, together - len(pks)),
    }
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        claimed = cursor.fetchall()
    for _, seconds in claimed:
        NEARLINE_WAIT_SECONDS.observe(max(0.0, seconds))
    return [pk for pk, _ in claimed]


def users_wait(*, tenant_id: int, waited: float) -> bool:
    """Tell whether a user that `claim_users` would claim has waited for this many seconds."""
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_WAITING, {"tenant": tenant_id, "waited": waited})
        return bool(cursor.fetchone()[0])


def release_users(*, tenant_id: int, pks: Collection[int]) -> None:
    """Returns claimed users to the queue."""
    if pks:
        with scope.tenant(tenant_id), connection.cursor() as cursor:
            cursor.execute(_RELEASE, {"tenant": tenant_id, "pks": list(pks)})


def mark_users(*, tenant_id: int, pks: Collection[int]) -> None:
    """Marks users as waiting, as an event does."""
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_MARK, {"tenant": tenant_id, "pks": list(pks)})


def clear_marks(*, tenant_id: int, versions: Mapping[int, int]) -> set[int]:
    """Clears the marks of users (primary key to the version read) that had no events since.

    Call it in the tenant's scope. Returns the users whose marks were cleared.
    """
    if not versions:
        return set()
    parameters: dict[str, Any] = {"tenant": tenant_id, "pks": list(versions), "versions": list(versions.values())}
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, parameters)
        return {pk for (pk,) in cursor.fetchall()}
