"""Whom an item fits: people who lately chose what is like it, the sharpest fit first.

    fit(person, item) = sum over the items chosen of likeness(item, chosen) * weight(type) * 2 ** (-age / half-life)

Of several events with one item the strongest counts. Only the tenant's newest events are looked at, so that one
question costs the same however much is stored. Age counts from `interactions.moments.as_of`. An item is most like
itself: who chose it before anything was known of it is among the first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.interactions import event_weights, reference_time
from recommendations.pipeline.candidates import popular

NEWEST_EVENTS = 200_000
HALF_LIFE_DAYS = 30
# Each step is MATERIALIZED and counted by narrow keys, as in `popular`.
_FITTING = """
    WITH recent AS MATERIALIZED (
        SELECT i.end_user_id, i.item_id, i.type_id, i.occurred_at, i.received_at FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s ORDER BY i.occurred_at DESC, i.id DESC LIMIT %(newest)s
    ), chosen AS MATERIALIZED (
        SELECT i.end_user_id, i.item_id, max(types.weight * power(2, -{age} / %(half_life)s)) AS said
        FROM recent AS i
        JOIN unnest(%(types)s::integer[], %(weights)s::float8[]) AS types (type_id, weight)
            ON types.type_id = i.type_id
        GROUP BY i.end_user_id, i.item_id
    ), near AS MATERIALIZED (
        SELECT said.fresh, c.id AS item_id, said.likeness
        FROM unnest(%(fresh)s::integer[], %(others)s::text[], %(likeness)s::float8[])
            AS said (fresh, item_id, likeness)
        JOIN recommendations_item AS c ON c.tenant_id = %(tenant)s AND c.item_id = said.item_id
    ), summed AS MATERIALIZED (
        SELECT near.fresh, chosen.end_user_id, sum(near.likeness * chosen.said) AS fit
        FROM chosen JOIN near ON near.item_id = chosen.item_id
        GROUP BY near.fresh, chosen.end_user_id
    ), ranked AS (
        SELECT fresh, end_user_id, fit, row_number() OVER (PARTITION BY fresh ORDER BY fit DESC, end_user_id) AS rank
        FROM summed
    )
    SELECT fresh, end_user_id FROM ranked WHERE rank <= %(each)s ORDER BY rank, fit DESC, end_user_id
"""


def people(
    *, tenant_id: int, items: Sequence[Mapping[str, float]], each: int, most: int, now: datetime
) -> tuple[list[int], list[int]]:
    """Whom these items fit, at most `each` an item and `most` in all, and how many each item has been given.

    `items` hold what is like each item, itself included. With too many, every item's sharpest fits come before any
    item's next ones.
    """
    says = [said for said in event_weights.load_event_weights(tenant_id=tenant_id).types if said.weight > 0]
    pairs = [(index, other, score) for index, near in enumerate(items) for other, score in near.items()]
    counts = [0] * len(items)
    if not pairs or most <= 0:
        return [], counts
    fresh, others, likeness = zip(*pairs, strict=True)
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(
            _FITTING.format(age=popular.AGE_DAYS.format(happened=popular.HAPPENED)),
            {
                "as_of": reference_time.as_of(tenant_id=tenant_id, now=now),
                "tenant": tenant_id,
                "newest": NEWEST_EVENTS,
                "fresh": list(fresh),
                "others": list(others),
                "likeness": list(likeness),
                "types": [said.type_id for said in says],
                "weights": [said.weight for said in says],
                "half_life": HALF_LIFE_DAYS,
                "each": each,
            },
        )
        found: dict[int, None] = {}
        for index, pk in cursor.fetchall():
            if pk in found or len(found) < most:
                found[pk] = None
                counts[index] += 1
    return list(found), counts
