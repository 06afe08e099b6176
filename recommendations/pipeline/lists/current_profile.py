"""One person with all that they did, in one statement, for a request that waits for it.

`people` reads many at once, by COPY and with several statements, of which each is a round trip. Both see the same
events, with the same weights.
"""

from typing import Any

import numpy as np
from django.db import connection

from recommendations.interactions import event_weights, reference_time
from recommendations.interactions.event_strength import event_strengths
from recommendations.interactions.event_weights import EventWeights
from recommendations.interactions.low_ratings import RATING
from recommendations.pipeline.lists.item_facts import parsed_object
from recommendations.pipeline.lists.profiles import Person

# So many of a person's newest events, as `matrix.histories` takes them.
_NEWEST = 5_000
_POSTGRES_EPOCH = 946_684_800
# Items are named by a look-up for each event: of a join the planner may make a scan of all items of all tenants.
# `+ 0` keeps it at the index of histories. Times come as whole microseconds, so that they are those of a COPY.
_READ = """
    SELECT p.id, p.locale, p.xmin::text::bigint, p.attributes, p.segments,
        ARRAY(
            SELECT rated.item_id FROM (
                SELECT i.item_id, i.value, avg(i.value) OVER () AS mean FROM recommendations_interaction AS i
                WHERE i.end_user_id = p.id AND i.tenant_id + 0 = %(tenant)s AND i.value IS NOT NULL
                    AND i.type_id = ANY (%(ratings)s::integer[])
            ) AS rated WHERE rated.value < rated.mean
        ),
        history.*
    FROM recommendations_enduser AS p
    CROSS JOIN LATERAL (
        SELECT array_agg(recent.item_id),
            array_agg((SELECT c.item_id FROM recommendations_item AS c
                       WHERE c.id = recent.item_id AND c.deleted_at IS NULL)),
            array_agg((extract(epoch FROM recent.occurred_at) * 1000000)::bigint),
            array_agg(recent.type_id), array_agg(coalesce(recent.value, 'NaN'))
        FROM (
            SELECT i.item_id, i.occurred_at, i.type_id, i.value FROM recommendations_interaction AS i
            WHERE i.end_user_id = p.id AND i.tenant_id + 0 = %(tenant)s AND i.type_id <> ALL (%(without)s::integer[])
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT %(limit)s
        ) AS recent
    ) AS history
    WHERE p.tenant_id = %(tenant)s AND p.user_id = %(user)s
"""


def read(*, tenant_id: int, user_id: str, said: EventWeights | None = None) -> Person | None:
    """One person with their history; None for somebody unknown. Call it in the tenant's scope.

    `said` is what the tenant's types mean as somebody read it lately: one statement less. It is read anew where the
    person has an event of a type that is not in it.
    """
    known = event_weights.load_event_weights(tenant_id=tenant_id) if said is None else said
    row = _row(tenant_id, user_id, known)
    if row is None:
        return None
    pk, locale, version, attributes, segments, low, item_pks, *columns = row
    item_ids, moments_, types, values = (list(reversed(column or ())) for column in columns)
    if said is not None and not {each.type_id for each in said.types}.issuperset(types):
        return read(tenant_id=tenant_id, user_id=user_id)
    times = (np.array(moments_, dtype=np.int64) - _POSTGRES_EPOCH * 1_000_000) / 1e6 + _POSTGRES_EPOCH
    counted = np.array(values, dtype=np.float32)
    weights = event_strengths(
        known,
        type_ids=np.array(types, dtype=np.int64),
        values=counted,
        times=times,
        as_of=reference_time.as_of(tenant_id=tenant_id).timestamp() if known.decays else 0.0,
    )
    names = {each.type_id: each.name for each in known.types}
    rows = [
        (item_id, at, weight, (names.get(kind, ""), value))
        for item_id, at, weight, kind, value in zip(
            item_ids, times.tolist(), weights.tolist(), types, counted.tolist(), strict=True
        )
        if item_id is not None
    ]
    spoken = [row for row in rows if row[2] > 0]
    disliked = set(low)
    return Person(
        pk,
        user_id,
        locale,
        version,
        events=tuple((item_id, at) for item_id, at, *_ in spoken),
        lukewarm=frozenset(
            item_id
            for item_pk, item_id in zip(reversed(item_pks or ()), item_ids, strict=True)
            if item_id is not None and item_pk in disliked
        ),
        attributes=parsed_object(attributes),
        weights=tuple(weight for _, _, weight, _ in spoken),
        said=tuple(said_ for *_, said_ in spoken),
        against=tuple((item_id, at, weight) for item_id, at, weight, _ in rows if weight < 0),
        segments=tuple(segments),
    )


def _row(tenant_id: int, user_id: str, said: EventWeights) -> tuple[Any, ...] | None:
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "user": user_id,
        "without": said.ignored,
        "ratings": [each.type_id for each in said.types if each.name == RATING],
        "limit": _NEWEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
