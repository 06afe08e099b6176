"""Events of one person that become another's."""

from django.db import connection

from recommendations.interactions.identity import SQL_DIGEST, Sender

# An event with an id is known by its person and that id, so it gets a new name; sent again under the old id of its
# person it is found by who that is now (`repeats`). One keeps its old name where the other person has an event of that
# id already, and so does one that is named in the old way.
_RENAMED = " ".join(
    f"WHEN digest = {SQL_DIGEST.format(sender=f'%({sender})s', person='%(old)s')} "
    f"THEN {SQL_DIGEST.format(sender=f'%({sender})s', person='%(new)s')}"
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


def move(*, tenant_id: int, source: tuple[int, str], target: tuple[int, str]) -> int:
    """Gives the events of `source` (primary key, id) to `target`; says how many they were.

    Call it in the tenant's scope with both people locked.
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
