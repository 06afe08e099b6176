"""Histories of single users, as scoring reads them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accounts.tenancy import scope
from recommendations.interactions import event_weights, id_resolution, reference_time
from recommendations.interactions.binary_copy import copy_arrays, type_positions, unix_seconds
from recommendations.interactions.event_strength import column_strengths, type_names
from recommendations.interactions.event_weights import EventWeights

_EVENTS_PER_USER = 5_000
# An aggregate keeps the order of its input.
_HISTORIES = """
    COPY (
        SELECT p.id, history.*
        FROM unnest(%(users)s::bigint[], %(untils)s::timestamptz[]) AS p (id, until)
        CROSS JOIN LATERAL (
            SELECT array_agg(recent.item_id) AS items, array_agg(recent.occurred_at), array_agg(recent.type_id::bigint),
                array_agg(coalesce(recent.value, 'NaN'))
            FROM (
                SELECT i.item_id, i.occurred_at, i.type_id, i.value FROM recommendations_interaction AS i
                WHERE i.end_user_id = p.id AND i.tenant_id + 0 = %(tenant)s
                    AND i.type_id <> ALL (%(without)s::integer[])
                    AND (p.until IS NULL OR i.received_at < p.until)
                ORDER BY i.occurred_at DESC, i.id DESC
                LIMIT %(limit)s
            ) AS recent
        ) AS history
        WHERE history.items IS NOT NULL
    ) TO STDOUT (FORMAT BINARY)
"""


@dataclass(frozen=True, slots=True, eq=False)
class HistoryItems:
    """The items of histories that were read together: `ids` by code; `indices` remembers their indices in a model."""

    ids: tuple[str, ...]
    indices: dict[Any, NDArray[np.int32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class HistoryColumns:
    """A user's events as arrays, oldest first: codes of items, types as places in `names`, values (nan for none)."""

    items: HistoryItems
    codes: NDArray[np.int64]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    types: NDArray[np.int16]
    values: NDArray[np.float32]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserHistory:
    """A user's events with weight, oldest first; ties in time are in order of arrival. Items may repeat.

    A negative weight counts against the item. `typed_values` holds type and value of each event, nan for no value.
    """

    item_ids: list[str]
    times: list[float]
    weights: list[float]
    typed_values: list[tuple[str, float]] = field(default_factory=list, compare=False)
    columns: HistoryColumns | None = field(default=None, compare=False)


def load_histories(
    *,
    tenant_id: int,
    user_pks: Collection[int],
    per_user: int = _EVENTS_PER_USER,
    untils: Mapping[int, datetime] | None = None,
    weights: EventWeights | None = None,
) -> dict[int, UserHistory]:
    """The newest `per_user` events with weight of each user, by primary key; users without any are missing.

    For users named in `untils`, only events that had arrived before that moment. `weights` are the tenant's, if they
    have been read in this transaction.
    """
    weights = weights or event_weights.load_event_weights(tenant_id=tenant_id)
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "without": weights.ignored,
        "users": list(user_pks),
        "untils": [(untils or {}).get(pk) for pk in user_pks],
        "limit": per_user,
    }
    with scope.tenant(tenant_id):
        users, lengths, columns = copy_arrays(_HISTORIES, parameters)
        if not users:
            return {}
        pks, codes = np.unique(columns[0], return_inverse=True)
        item_ids = id_resolution.external_item_ids(pks.tolist())
        as_of = reference_time.as_of(tenant_id=tenant_id).timestamp() if weights.decays else 0.0
    rows = _oldest_first(lengths)
    rows = rows[np.array([pk in item_ids for pk in pks.tolist()])[codes[rows]]]
    items = HistoryItems(tuple(item_ids.get(pk, "") for pk in pks.tolist()))
    times, values = unix_seconds(columns[1][rows]), columns[3].view(np.float64)[rows].astype(np.float32)
    types = type_positions(columns[2][rows], np.array(weights.type_ids, dtype=np.int64))
    strengths = column_strengths(weights, types, values, times, as_of)
    ends = np.searchsorted(np.repeat(np.arange(len(users)), lengths)[rows], np.arange(len(users) + 1)).tolist()
    codes, names = codes[rows], type_names(weights)
    histories: dict[int, UserHistory] = {}
    for user, first, end in zip(users, ends, ends[1:], strict=False):
        if end > first:
            own = slice(first, end)
            parts = (codes[own], times[own], strengths[own], types[own], values[own])
            histories[user] = _history(HistoryColumns(items, *parts, names))
    return histories


def _oldest_first(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of rows that come newest first, user after user, in the other order within each user."""
    ends = np.cumsum(lengths)
    return np.asarray(np.repeat(ends + ends - lengths - 1, lengths) - np.arange(int(lengths.sum())))


def _history(columns: HistoryColumns) -> UserHistory:
    ids, names = columns.items.ids, columns.names
    return UserHistory(
        [ids[code] for code in columns.codes.tolist()],
        columns.times.tolist(),
        columns.weights.tolist(),
        list(zip([names[each] for each in columns.types.tolist()], columns.values.tolist(), strict=True)),
        columns,
    )
