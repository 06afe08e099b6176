"""What was shown to one person: read, let go, handed over to whom they turn out to be."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

from recommendations.attribution.models import Impression

_FIELDS = ("recommendation_id", "placement", "arm", "source", "first_at", "last_at")
# The same page may have been shown to both within one hour: then the row there is widened.
_MOVE = """
    WITH gone AS (
        DELETE FROM recommendations_impression WHERE tenant_id = %(tenant)s AND end_user_id = %(source)s RETURNING *
    )
    INSERT INTO recommendations_impression
        (tenant_id, recommendation_id, end_user_id, hour, first_at, last_at, placement, arm, source)
    SELECT tenant_id, recommendation_id, %(target)s, hour, first_at, last_at, placement, arm, source FROM gone
    ON CONFLICT (tenant_id, recommendation_id, end_user_id, hour) DO UPDATE SET
        first_at = least(recommendations_impression.first_at, excluded.first_at),
        last_at = greatest(recommendations_impression.last_at, excluded.last_at)
"""


def to_person(*, tenant_id: int, user_pk: int) -> Iterator[dict[str, Any]]:
    """Pages by hour, the oldest first; only as long as a click may belong to them."""
    pages = Impression.objects.filter(tenant_id=tenant_id, end_user_id=user_pk).order_by("first_at", "pk")
    yield from pages.values(*_FIELDS)


def forget(*, tenant_id: int, user_pk: int) -> int:
    """Deletes them; returns how many rows."""
    return Impression.objects.filter(tenant_id=tenant_id, end_user_id=user_pk).delete()[0]


def move(*, tenant_id: int, source_pk: int, target_pk: int) -> int:
    """Makes them somebody else's; returns how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"tenant": tenant_id, "source": source_pk, "target": target_pk})
        return int(cursor.rowcount)
