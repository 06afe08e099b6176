"""The training window: a tenant's newest positive events as arrays.

Weights are the tenant's (recommendations.interactions.event_weights): events without weight or with a negative one are
left out. Deleted items are left out as well; hidden ones stay, since they may return and tell much about the users who
chose them.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

from accounts.tenancy import scope
from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.event_values import RATING, EventValues
from recommendations.algorithms.data.timestamp_check import EventOrder, detect_order
from recommendations.algorithms.training.event_strength import FoldMaker, WeightedInteractions, weight_interactions
from recommendations.interactions import event_weights, id_resolution, reference_time
from recommendations.interactions.binary_copy import SELECTED, Columns, copy_out
from recommendations.interactions.event_strength import column_strengths, type_names
from recommendations.interactions.event_weights import EventWeights
from recommendations.interactions.low_ratings import LowRatings, low_ratings

# No join: users and items are looked up afterwards, and NOT IN hashes the deleted items once. With planner statistics
# older than a large import, a join took a minute for 100,000 rows instead of a third of a second.
_WANTED = """
    i.type_id <> ALL (%(without)s::integer[])
    AND i.item_id NOT IN (
        SELECT c.id FROM recommendations_item AS c WHERE c.tenant_id = %(tenant)s AND c.deleted_at IS NOT NULL)
    AND (%(until)s::timestamptz IS NULL OR i.received_at <= %(until)s)
"""
_WINDOW = f"""
    COPY (
        SELECT {SELECTED} FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s AND {_WANTED}
        ORDER BY i.occurred_at DESC, i.id DESC LIMIT %(limit)s
    ) TO STDOUT (FORMAT BINARY)
"""  # noqa: S608  # constants only
_MORE_THAN = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM recommendations_interaction AS i WHERE i.tenant_id = %(tenant)s AND {_WANTED} LIMIT %(limit)s + 1
    ) AS counted
"""  # noqa: S608  # constants only
_ROWS_PER_USER = f"""
    SELECT counted.rows, count(*) FROM (
        SELECT count(*) AS rows FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s AND {_WANTED} GROUP BY i.end_user_id
    ) AS counted GROUP BY counted.rows ORDER BY counted.rows
"""  # noqa: S608  # constants only
# The history index gives each user's newest rows; `+ 0` keeps the planner from reading the whole tenant.
_NEWEST_PER_USER = f"""
    COPY (
        SELECT recent.* FROM recommendations_enduser AS p
        CROSS JOIN LATERAL (
            SELECT {SELECTED} FROM recommendations_interaction AS i
            WHERE i.end_user_id = p.id AND i.tenant_id + 0 = %(tenant)s AND {_WANTED}
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT %(per_user)s
        ) AS recent
        WHERE p.tenant_id = %(tenant)s
        ORDER BY recent.occurred_at DESC, recent.id DESC LIMIT %(limit)s
    ) TO STDOUT (FORMAT BINARY)
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """The window had more rows than a training takes: only the newest `per_user` rows of each user were kept."""

    kept: int
    total: int
    per_user: int

    def __str__(self) -> str:
        return (
            f"Trained on {self.kept:,} of {self.total:,} events: the newest {self.per_user:,} of each user "
            "(TRAIN_MAX_ROWS)."
        )


@dataclass(frozen=True, eq=False)
class Window:
    """Positive events in order of arrival: codes into `user_ids` and `item_ids`, Unix seconds, and weights."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    user_ids: list[str]
    item_ids: list[str]
    values: EventValues
    limit: WindowLimit | None = None
    ratings: LowRatings | None = None

    @cached_property
    def order(self) -> EventOrder:
        """The order of the rows in time, as far as it is known."""
        return detect_order(self.users, self.times)

    def interactions(self, weights: NDArray[np.float32] | None = None) -> Interactions:
        """The window as algorithms take it; without times if the rows have no order.

        `weights` replaces the weights by type, which ignore values.
        """
        columns = (self.users, self.items, self.order.times, self.user_ids, self.item_ids)
        return Interactions.from_codes(*columns, strengths=self.weights if weights is None else weights)

    def weighed(self, fold_maker: FoldMaker) -> WeightedInteractions:
        """The window with values turned into strengths, as the types' settings or the fold decide."""
        return weight_interactions(
            self.interactions,
            users=self.users,
            items=self.items,
            strengths=self.weights,
            values=self.values,
            fold_maker=fold_maker,
        )


def read_window(*, tenant_id: int, until: datetime | None = None, max_rows: int | None = None) -> Window:
    """Reads the newest positive events; repeated pairs are not merged.

    With more than `max_rows` (default TRAIN_MAX_ROWS), only each user's newest rows are kept, as many per user as fit.
    Memory: 46 bytes a row, and twice that while they are sorted.
    """
    max_rows = settings.TRAIN_MAX_ROWS if max_rows is None else max_rows
    event_types = event_weights.load_event_weights(tenant_id=tenant_id)
    parameters = {
        "tenant": tenant_id,
        "without": event_types.never_positive,
        "types": event_types.type_ids,
        "until": until,
        "limit": max_rows,
    }
    with scope.tenant(tenant_id):
        per_user, total = _rows_per_user(parameters, max_rows)
        rows = copy_out(_NEWEST_PER_USER if per_user else _WINDOW, {**parameters, "per_user": per_user})
        rows = rows.take(np.argsort(rows.ids, kind="stable"))
        as_of = reference_time.as_of(tenant_id=tenant_id, now=until).timestamp()
        weights = column_strengths(event_types, rows.types, rows.values, rows.times, as_of)
        ratings = _low_ratings(event_types, rows)
        read, positive = len(rows.ids), np.flatnonzero(weights > 0)
        rows, weights = rows.take(positive), weights[positive]
        user_pks, users = np.unique(rows.users, return_inverse=True)
        item_pks, items = np.unique(rows.items, return_inverse=True)
        user_ids = id_resolution.external_user_ids(user_pks.tolist())
        item_ids = id_resolution.external_item_ids(item_pks.tolist())
    # Users erased and items deleted between two statements have no external id any more.
    user_present, user_index = _indices(user_pks, user_ids)
    item_present, item_index = _indices(item_pks, item_ids)
    kept = user_present[users] & item_present[items]
    return Window(
        users=user_index[users[kept]],
        items=item_index[items[kept]],
        times=rows.times[kept],
        weights=weights[kept],
        user_ids=[user_ids[pk] for pk in user_pks.tolist() if pk in user_ids],
        item_ids=[item_ids[pk] for pk in item_pks.tolist() if pk in item_ids],
        values=_values(event_types, rows.take(np.flatnonzero(kept))),
        ratings=ratings,
        limit=WindowLimit(kept=read, total=total, per_user=per_user) if per_user else None,
    )


def _rows_per_user(parameters: dict[str, Any], max_rows: int) -> tuple[int, int]:
    """The number of rows per user that fit, and the number of rows that there are; (0, 0) if all fit."""
    with connection.cursor() as cursor:
        cursor.execute(_MORE_THAN, parameters)
        if cursor.fetchone()[0] <= max_rows:
            return 0, 0
        cursor.execute(_ROWS_PER_USER, parameters)
        counts, users = np.array(cursor.fetchall(), dtype=np.int64).T
    low, high = 1, int(counts.max())
    while low < high:  # finds the largest number that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle) @ users <= max_rows else (low, middle - 1)
    return low, int(counts @ users)


def _values(event_types: EventWeights, rows: Columns) -> EventValues:
    names = type_names(event_types)
    kinds = np.where(rows.types < 0, len(names) - 1, rows.types)
    settings_by_type = {event_type.name: event_type.value_as_strength for event_type in event_types.types}
    return EventValues(kinds, rows.values, names, settings_by_type)


def _low_ratings(event_types: EventWeights, rows: Columns) -> LowRatings | None:
    """Tells how low ratings count; None without ratings, or if all are equal."""
    names = type_names(event_types)
    if RATING not in names:
        return None
    values = rows.values[(rows.types == names.index(RATING)) & np.isfinite(rows.values)]
    distinct, counts = np.unique(values, return_counts=True)
    (below,) = (event_type.negative_below for event_type in event_types.types if event_type.name == RATING)
    return low_ratings(dict(zip(distinct.tolist(), counts.tolist(), strict=True)), negative_below=below)


def _indices(pks: NDArray[np.int64], external_ids: dict[int, str]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Tells for each key if it still has an external id, and its position among those that do."""
    present = np.array([pk in external_ids for pk in pks.tolist()], dtype=bool)
    return present, np.cumsum(present) - 1
