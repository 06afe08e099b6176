"""Reads one user with their history in one SQL statement, for a request that waits for it.

`profiles` reads many users at once, by COPY and with several statements, each of which is a round trip. Both see the
same events, with the same weights.
"""

from typing import Any

import numpy as np
from django.db import connection

from recommendations.interactions import event_weights, reference_time
from recommendations.interactions.event_strength import event_strengths as compute_strengths
from recommendations.interactions.event_weights import EventWeights
from recommendations.interactions.low_ratings import RATING
from recommendations.pipeline.lists.item_facts import parsed_object
from recommendations.pipeline.lists.profiles import UserProfile

# Newest events of a user, as many as `profiles` reads.
_NEWEST = 5_000
_POSTGRES_EPOCH = 946_684_800
# Item ids come by a look-up for each event: the planner may turn a join into a scan of all items of all tenants.
# `+ 0` keeps it on the index of histories. Times are whole microseconds, so that they equal those of a COPY.
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


def read_current_user(*, tenant_id: int, user_id: str, weights: EventWeights | None = None) -> UserProfile | None:
    """One user; None if it does not exist. Call it in the tenant's scope.

    `weights` are the tenant's recently read event weights, which saves a statement. They are read again if the user has
    an event of an unknown type.
    """
    known = event_weights.load_event_weights(tenant_id=tenant_id) if weights is None else weights
    row = _row(tenant_id, user_id, known)
    if row is None:
        return None
    pk, locale, version, attributes, segments, low, item_pks, *columns = row
    item_ids, microseconds, types, values = (list(reversed(column or ())) for column in columns)
    if weights is not None and not {each.type_id for each in weights.types}.issuperset(types):
        return read_current_user(tenant_id=tenant_id, user_id=user_id)
    times = (np.array(microseconds, dtype=np.int64) - _POSTGRES_EPOCH * 1_000_000) / 1e6 + _POSTGRES_EPOCH
    event_values = np.array(values, dtype=np.float32)
    event_strengths = compute_strengths(
        known,
        type_ids=np.array(types, dtype=np.int64),
        values=event_values,
        times=times,
        as_of=reference_time.as_of(tenant_id=tenant_id).timestamp() if known.decays else 0.0,
    )
    names = {each.type_id: each.name for each in known.types}
    rows = [
        (item_id, at, weight, (names.get(kind, ""), value))
        for item_id, at, weight, kind, value in zip(
            item_ids, times.tolist(), event_strengths.tolist(), types, event_values.tolist(), strict=True
        )
        if item_id is not None
    ]
    positive = [row for row in rows if row[2] > 0]
    low_pks = set(low)
    return UserProfile(
        pk,
        user_id,
        locale,
        version,
        events=tuple((item_id, at) for item_id, at, *_ in positive),
        rated_below_mean=frozenset(
            item_id
            for item_pk, item_id in zip(reversed(item_pks or ()), item_ids, strict=True)
            if item_id is not None and item_pk in low_pks
        ),
        attributes=parsed_object(attributes),
        weights=tuple(weight for _, _, weight, _ in positive),
        values=tuple(value for *_, value in positive),
        negative_events=tuple((item_id, at, weight) for item_id, at, weight, _ in rows if weight < 0),
        segments=tuple(segments),
    )


def _row(tenant_id: int, user_id: str, weights: EventWeights) -> tuple[Any, ...] | None:
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "user": user_id,
        "without": weights.ignored,
        "ratings": [each.type_id for each in weights.types if each.name == RATING],
        "limit": _NEWEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
