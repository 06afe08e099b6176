"""Which items somebody rated low: they count as chosen, but nobody should be told that they liked them."""

from collections.abc import Collection
from typing import Any

from django.db import connection

from accounts.tenancy import scope
from recommendations.interactions.low_ratings import RATING

_BELOW_OWN_MEAN = """
    SELECT rated.end_user_id, rated.item_id
    FROM (
        SELECT i.end_user_id, i.item_id, i.value, avg(i.value) OVER (PARTITION BY i.end_user_id) AS mean
        FROM recommendations_interaction AS i
        WHERE i.end_user_id = ANY (%(people)s) AND i.tenant_id + 0 = %(tenant)s AND i.value IS NOT NULL
            AND i.type_id = ANY (ARRAY(
                SELECT t.id FROM recommendations_eventtype AS t
                WHERE t.tenant_id = %(tenant)s AND t.name = %(rating)s))
    ) AS rated
    WHERE rated.value < rated.mean
"""

_NAMES = "SELECT id, item_id FROM recommendations_item WHERE tenant_id + 0 = %(tenant)s AND id = ANY (%(items)s)"


def lukewarm(*, tenant_id: int, user_pks: Collection[int]) -> dict[int, frozenset[str]]:
    """For each person the items that they rated below their own mean; nothing for people who rated none so."""
    parameters: dict[str, Any] = {"tenant": tenant_id, "people": list(user_pks), "rating": RATING}
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_BELOW_OWN_MEAN, parameters)
        rows = cursor.fetchall()
        cursor.execute(_NAMES, {"tenant": tenant_id, "items": list({item_pk for _, item_pk in rows})})
        names = dict(cursor.fetchall())
    found: dict[int, set[str]] = {}
    for user_pk, item_pk in rows:
        if item_pk in names:
            found.setdefault(user_pk, set()).add(names[item_pk])
    return {user_pk: frozenset(item_ids) for user_pk, item_ids in found.items()}
