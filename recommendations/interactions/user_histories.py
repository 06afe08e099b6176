"""Histories of single users, as scoring reads them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from accounts.tenancy import scope
from recommendations.interactions import event_weights, id_resolution, reference_time
from recommendations.interactions.binary_copy import SELECTED, copy_out
from recommendations.interactions.event_strength import column_strengths, type_names

_EVENTS_PER_USER = 5_000
_HISTORIES = f"""
    COPY (
        SELECT recent.*
        FROM unnest(%(users)s::bigint[], %(untils)s::timestamptz[]) AS p (id, until)
        CROSS JOIN LATERAL (
            SELECT {SELECTED} FROM recommendations_interaction AS i
            WHERE i.end_user_id = p.id AND i.tenant_id + 0 = %(tenant)s AND i.type_id <> ALL (%(without)s::integer[])
                AND (p.until IS NULL OR i.received_at < p.until)
            ORDER BY i.occurred_at DESC, i.id DESC
            LIMIT %(limit)s
        ) AS recent
    ) TO STDOUT (FORMAT BINARY)
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class UserHistory:
    """A user's events with weight, oldest first; ties in time are in order of arrival. Items may repeat.

    A negative weight counts against the item. `typed_values` holds type and value of each event, nan for no value.
    """

    item_ids: list[str]
    times: list[float]
    weights: list[float]
    typed_values: list[tuple[str, float]] = field(default_factory=list, compare=False)


def load_histories(
    *,
    tenant_id: int,
    user_pks: Collection[int],
    per_user: int = _EVENTS_PER_USER,
    untils: Mapping[int, datetime] | None = None,
) -> dict[int, UserHistory]:
    """The newest `per_user` events with weight of each user, by primary key; users without any are missing.

    For users named in `untils`, only events that had arrived before that moment.
    """
    weights = event_weights.load_event_weights(tenant_id=tenant_id)
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "without": weights.ignored,
        "types": weights.type_ids,
        "users": list(user_pks),
        "untils": [(untils or {}).get(pk) for pk in user_pks],
        "limit": per_user,
    }
    with scope.tenant(tenant_id):
        rows = copy_out(_HISTORIES, parameters)
        item_ids = id_resolution.external_item_ids(np.unique(rows.items).tolist())
        as_of = reference_time.as_of(tenant_id=tenant_id).timestamp() if weights.decays else 0.0
    rows = rows.take(np.lexsort((rows.ids, rows.times, rows.users)))
    strengths = column_strengths(weights, rows.types, rows.values, rows.times, as_of).tolist()
    names = type_names(weights)
    histories: dict[int, UserHistory] = {}
    columns = (rows.users.tolist(), rows.items.tolist(), rows.times.tolist(), strengths)
    types_and_values = zip(rows.types.tolist(), rows.values.tolist(), strict=True)
    for user_pk, item_pk, seconds, strength, (position, value) in zip(*columns, types_and_values, strict=True):
        if item_pk in item_ids:
            history = histories.setdefault(user_pk, UserHistory([], [], []))
            history.typed_values.append((names[position], value))
            history.item_ids.append(item_ids[item_pk])
            history.times.append(seconds)
            history.weights.append(strength)
    return histories
