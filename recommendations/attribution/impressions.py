"""A user's impressions and exposures to experiments: exported, erased, or merged into another user."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

from recommendations.attribution.models import Exposure, Impression
from recommendations.attribution.served_pages import read

_FIELDS = ("recommendation_id", "placement", "arm", "source", "first_at", "last_at", "page", "clicked")
# The same page may have been shown to both within one hour: then the row there is widened.
_MOVE = """
    WITH gone AS (
        DELETE FROM recommendations_impression WHERE tenant_id = %(tenant)s AND end_user_id = %(source)s RETURNING *
    )
    INSERT INTO recommendations_impression
        (tenant_id, recommendation_id, end_user_id, hour, first_at, last_at, placement, arm, source, page, clicked)
    SELECT tenant_id, recommendation_id, %(target)s, hour, first_at, last_at, placement, arm, source, page, clicked
    FROM gone
    ON CONFLICT (tenant_id, recommendation_id, end_user_id, hour) DO UPDATE SET
        first_at = least(recommendations_impression.first_at, excluded.first_at),
        last_at = greatest(recommendations_impression.last_at, excluded.last_at)
"""
# Who was in one arm under both names stays in it; who was in two is left out of comparisons.
_MOVE_EXPOSURES = """
    WITH gone AS (
        DELETE FROM recommendations_exposure WHERE tenant_id = %(tenant)s AND end_user_id = %(source)s RETURNING *
    )
    INSERT INTO recommendations_exposure
        (tenant_id, placement, arm, week, end_user_id, first_at, click_at, conversion_at)
    SELECT tenant_id, placement, arm, week, %(target)s, first_at, click_at, conversion_at FROM gone
    ON CONFLICT (tenant_id, placement, arm, week, end_user_id) DO UPDATE SET
        first_at = least(recommendations_exposure.first_at, excluded.first_at),
        click_at = least(recommendations_exposure.click_at, excluded.click_at),
        conversion_at = least(recommendations_exposure.conversion_at, excluded.conversion_at)
"""


def to_person(*, tenant_id: int, user_pk: int) -> Iterator[dict[str, Any]]:
    """Pages by hour, the oldest first; only as long as a click may belong to them."""
    pages = Impression.objects.filter(tenant_id=tenant_id, end_user_id=user_pk).order_by("first_at", "pk")
    for row in pages.values(*_FIELDS):
        body = row.pop("page")
        kept = read(bytes(body)) if body is not None else None
        yield {**row, "item_ids": list(kept.item_ids) if kept else None}


def compared(*, tenant_id: int, user_pk: int) -> Iterator[dict[str, Any]]:
    """In which arms the person was compared with others, week by week."""
    weeks = Exposure.objects.filter(tenant_id=tenant_id, end_user_id=user_pk).order_by("week", "pk")
    yield from (dict(row) for row in weeks.values("placement", "arm", "week", "first_at", "click_at", "conversion_at"))


def forget_compared(*, tenant_id: int, user_pk: int) -> int:
    """Deletes that; returns how many rows."""
    return Exposure.objects.filter(tenant_id=tenant_id, end_user_id=user_pk).delete()[0]


def move_compared(*, tenant_id: int, source_pk: int, target_pk: int) -> int:
    """Makes it somebody else's; returns how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_EXPOSURES, {"tenant": tenant_id, "source": source_pk, "target": target_pk})
        return int(cursor.rowcount)


def forget(*, tenant_id: int, user_pk: int) -> int:
    """Deletes them; returns how many rows."""
    return Impression.objects.filter(tenant_id=tenant_id, end_user_id=user_pk).delete()[0]


def move(*, tenant_id: int, source_pk: int, target_pk: int) -> int:
    """Makes them somebody else's; returns how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"tenant": tenant_id, "source": source_pk, "target": target_pk})
        return int(cursor.rowcount)
