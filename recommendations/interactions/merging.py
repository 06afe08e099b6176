"""Moving the events of one user to another."""

from django.db import connection

from recommendations.interactions.identity import SQL_DIGEST, Sender

# An event with an id is identified by its user and that id, so it gets a new digest; sent again under the user's old
# id, it is found through the merge (`deduplication`). It keeps its old digest if the target user has an event with that
# id already, and so does one with a digest in the old format.
_RENAMED = " ".join(
    f"WHEN digest = {SQL_DIGEST.format(sender=f'%({sender})s', user='%(old)s')} "
    f"THEN {SQL_DIGEST.format(sender=f'%({sender})s', user='%(new)s')}"
    for sender in Sender
)
_MOVE = f"""
    WITH moved AS (
        SELECT id, CASE WHEN event_id IS NULL THEN NULL {_RENAMED} END AS renamed
        FROM recommendations_interaction WHERE tenant_id = %(tenant)s AND end_user_id = %(source)s
    )
    UPDATE recommendations_interaction AS event SET
        end_user_id = %(target)s,
        digest = CASE WHEN renamed IS NULL OR EXISTS (
            SELECT 1 FROM recommendations_interaction AS other
            WHERE other.tenant_id = %(tenant)s AND other.digest = renamed
        ) THEN event.digest ELSE renamed END
    FROM moved WHERE event.id = moved.id AND event.tenant_id = %(tenant)s
"""  # noqa: S608  # made of constants


def move_events(*, tenant_id: int, source: tuple[int, str], target: tuple[int, str]) -> int:
    """Moves the events of `source` (primary key, id) to `target`; returns the number of events.

    Call it in the tenant's scope with both users locked.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "tenant": tenant_id,
                "source": source[0],
                "target": target[0],
                "old": source[1],
                "new": target[1],
                **{sender: sender.value for sender in Sender},
            },
        )
        return int(cursor.rowcount)
