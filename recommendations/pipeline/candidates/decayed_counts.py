"""SQL of decayed counts: how much each user's events say about each item, recent events more.

    score(user, item) = max over their events of weight(type) * 2 ** (-age / half-life)

A user's thousandth event with an item adds nothing. Age and window count from `interactions.reference_time`, so that
data that ended long ago has lists too. Each step is MATERIALIZED and counted by narrow keys before any name is looked
up: right after an import the planner's statistics are old, and a join of 100,000 rows planned for ten took minutes.
"""

from datetime import datetime
from typing import Any

from recommendations.interactions import event_weights, reference_time

# An event with a time in the future happened when it arrived, at the latest; what is newer than `as_of` has no age.
_HAPPENED = "least(i.occurred_at, i.received_at)"
_DECAY = f"power(2, -(greatest(extract(epoch FROM %(as_of)s - {_HAPPENED}), 0) / 86400.0) / %(half_life)s)"
_IN_WINDOW = f"""
    i.occurred_at > %(as_of)s - make_interval(days => %(window)s)
    AND {_HAPPENED} > %(as_of)s - make_interval(days => %(window)s)
"""
# The score of each pair from events of one weight, in a window, as far as they had arrived.
UNWEIGHTED_PAIRS = f"""
    SELECT i.end_user_id, i.item_id, max({_DECAY}) AS score
    FROM recommendations_interaction AS i
    WHERE i.tenant_id = %(tenant)s AND {_IN_WINDOW}
      AND i.type_id <> ALL (%(without)s::integer[]) AND i.received_at <= %(now)s
    GROUP BY i.end_user_id, i.item_id
"""  # noqa: S608  # constants only
_WEIGHTED = f"""
    SELECT i.end_user_id, i.item_id, max(types.weight * {_DECAY}) AS score
    FROM {{events}} AS i
    JOIN unnest(%(types)s::integer[], %(weights)s::float8[]) AS types (type_id, weight) ON types.type_id = i.type_id
    {{condition}}
    GROUP BY i.end_user_id, i.item_id
"""  # noqa: S608  # constants only
# The same weighted by the types of the events.
WEIGHTED_PAIRS = _WEIGHTED.format(
    events="recommendations_interaction", condition=f"WHERE i.tenant_id = %(tenant)s AND {_IN_WINDOW}"
)


def weighted_pairs_of(events: str) -> str:
    """The weighted scores from a named subquery of interactions, without a window."""
    return _WEIGHTED.format(events=events, condition="")


def parameters(*, tenant_id: int, now: datetime, half_life_days: float, window_days: int = 0) -> dict[str, Any]:
    """The parameters of all of these queries. Call it in the tenant's scope."""
    weights = event_weights.load_event_weights(tenant_id=tenant_id)
    positive = [each for each in weights.types if each.weight > 0]
    return {
        "tenant": tenant_id,
        "now": now,
        "as_of": reference_time.as_of(tenant_id=tenant_id, now=now),
        "half_life": half_life_days,
        "window": window_days,
        "without": weights.never_positive,
        "types": [each.type_id for each in positive],
        "weights": [each.weight for each in positive],
    }
