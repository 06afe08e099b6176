"""Finds users that a fresh item suits: those that recently chose similar items.

    fit(user, item) = sum over the chosen items of similarity(item, chosen) * score(user, chosen)

The score of a chosen item is that of `candidates.decayed_counts`. Only the tenant's newest events are read, so that one
search costs the same however much is stored. An item is most similar to itself: users that chose it before anything was
known of it come first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.pipeline.candidates import decayed_counts

NEWEST_EVENTS = 200_000
HALF_LIFE_DAYS = 30
_AUDIENCE = f"""
    WITH recent AS MATERIALIZED (
        SELECT i.end_user_id, i.item_id, i.type_id, i.occurred_at, i.received_at FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s ORDER BY i.occurred_at DESC, i.id DESC LIMIT %(newest)s
    ), chosen AS MATERIALIZED ({decayed_counts.weighted_pairs_of("recent")}),
    near AS MATERIALIZED (
        SELECT pairs.fresh, c.id AS item_id, pairs.similarity
        FROM unnest(%(fresh)s::integer[], %(others)s::text[], %(similarities)s::float8[])
            AS pairs (fresh, item_id, similarity)
        JOIN recommendations_item AS c ON c.tenant_id = %(tenant)s AND c.item_id = pairs.item_id
    ), summed AS MATERIALIZED (
        SELECT near.fresh, chosen.end_user_id, sum(near.similarity * chosen.score) AS fit
        FROM chosen JOIN near ON near.item_id = chosen.item_id
        GROUP BY near.fresh, chosen.end_user_id
    ), ranked AS (
        SELECT fresh, end_user_id, fit, row_number() OVER (PARTITION BY fresh ORDER BY fit DESC, end_user_id) AS rank
        FROM summed
    )
    SELECT fresh, end_user_id FROM ranked WHERE rank <= %(per_item)s ORDER BY rank, fit DESC, end_user_id
"""  # noqa: S608  # constants only


def find_audience(
    *, tenant_id: int, items: Sequence[Mapping[str, float]], per_item: int, limit: int, now: datetime
) -> tuple[list[int], list[int]]:
    """Users that the items suit, at most `per_item` each and `limit` in all, and the number of users by item.

    `items` hold the similarities of each item to others and itself. Every item's best users come before any item's next
    ones.
    """
    pairs = [(index, other, score) for index, near in enumerate(items) for other, score in near.items()]
    counts = [0] * len(items)
    if not pairs or limit <= 0:
        return [], counts
    fresh, others, similarities = zip(*pairs, strict=True)
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        parameters = decayed_counts.parameters(tenant_id=tenant_id, now=now, half_life_days=HALF_LIFE_DAYS)
        cursor.execute(
            _AUDIENCE,
            {
                **parameters,
                "newest": NEWEST_EVENTS,
                "fresh": list(fresh),
                "others": list(others),
                "similarities": list(similarities),
                "per_item": per_item,
            },
        )
        rows = cursor.fetchall()
    users: dict[int, None] = {}
    for index, pk in rows:
        if pk in users or len(users) < limit:
            users[pk] = None
            counts[index] += 1
    return list(users), counts
