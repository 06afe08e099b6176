"""What algorithms learn from: the interaction window as arrays, and single people's histories.

What an event says is the tenant's meaning (recommendations.interactions.event_weights): events that say nothing are
left out, those that speak against an item stand in histories and are not learnt from. Deleted items are left out;
hidden ones stay, since they may come back and say much about those who chose them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

from accounts.tenancy import scope
from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.event_values import RATING, Values
from recommendations.algorithms.data.timestamp_check import Order, order_of
from recommendations.algorithms.training.event_strength import FoldMaker, Weighed, weigh
from recommendations.interactions import event_weights, reference_time
from recommendations.interactions.binary_copy import SELECTED, Columns, copy_out
from recommendations.interactions.event_weights import Meaning
from recommendations.interactions.low_ratings import LowRatings, low_ratings
from recommendations.interactions.strengths import strengths

_IDS_PER_QUERY = 50_000
_PER_PERSON = 5_000
# No join: people and items are looked up afterwards, and NOT IN is one hashed list of the deleted. Where the planner's
# statistics were older than a large import, a join took a minute for 100,000 rows in place of a third of a second.
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
_ROWS_PER_PERSON = f"""
    SELECT counted.rows, count(*) FROM (
        SELECT count(*) AS rows FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s AND {_WANTED} GROUP BY i.end_user_id
    ) AS counted GROUP BY counted.rows ORDER BY counted.rows
"""  # noqa: S608  # constants only
# The index of histories gives each person's newest rows; `+ 0` keeps the planner from reading the whole tenant's.
_NEWEST_OF_EACH = f"""
    COPY (
        SELECT recent.* FROM recommendations_enduser AS p
        CROSS JOIN LATERAL (
            SELECT {SELECTED} FROM recommendations_interaction AS i
            WHERE i.end_user_id = p.id AND i.tenant_id + 0 = %(tenant)s AND {_WANTED}
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT %(each)s
        ) AS recent
        WHERE p.tenant_id = %(tenant)s
        ORDER BY recent.occurred_at DESC, recent.id DESC LIMIT %(limit)s
    ) TO STDOUT (FORMAT BINARY)
"""  # noqa: S608  # constants only
_HISTORIES = f"""
    COPY (
        SELECT recent.*
        FROM unnest(%(people)s::bigint[], %(untils)s::timestamptz[]) AS p (id, until)
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
class Bound:
    """There were more rows than a training takes: the newest `each` of every person were kept."""

    kept: int
    of: int
    each: int

    def __str__(self) -> str:
        return (
            f"Trained on {self.kept:,} of {self.of:,} events: the newest {self.each:,} of each person (TRAIN_MAX_ROWS)."
        )


@dataclass(frozen=True, eq=False)
class Window:
    """Positives in the order in which they arrived: codes into the ids, Unix seconds, and what each says."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    user_ids: list[str]
    item_ids: list[str]
    values: Values
    bound: Bound | None = None
    ratings: LowRatings | None = None

    @cached_property
    def order(self) -> Order:
        """The order of the rows, as far as it is known."""
        return order_of(self.users, self.times)

    def interactions(self, weights: NDArray[np.float32] | None = None) -> Interactions:
        """The same as algorithms take them; without times where the rows have no order.

        `weights` stand in for those that say nothing of values.
        """
        columns = (self.users, self.items, self.order.times, self.user_ids, self.item_ids)
        return Interactions.from_codes(*columns, strengths=self.weights if weights is None else weights)

    def weighed(self, fold_maker: FoldMaker) -> Weighed:
        """The same with values as strength, as the types' settings or the fold say."""
        return weigh(
            self.interactions,
            users=self.users,
            items=self.items,
            strengths=self.weights,
            values=self.values,
            fold_maker=fold_maker,
        )


@dataclass(frozen=True, slots=True)
class PersonalHistory:
    """What one person chose or turned down, oldest first, rows of one moment in the order of arrival.

    Items may repeat. A weight below 0 speaks against the item. `said` are type and value of each row, nan for no value.
    """

    item_ids: list[str]
    times: list[float]
    weights: list[float]
    said: list[tuple[str, float]] = field(default_factory=list, compare=False)


def training_window(*, tenant_id: int, until: datetime | None = None, max_rows: int | None = None) -> Interactions:
    """The newest positives as algorithms take them; `until` leaves out what arrived later."""
    return read_window(tenant_id=tenant_id, until=until, max_rows=max_rows).interactions()


def read_window(*, tenant_id: int, until: datetime | None = None, max_rows: int | None = None) -> Window:
    """The newest positives before anything is merged: repeated pairs stay.

    Above `max_rows` (TRAIN_MAX_ROWS if not given) the newest rows of each person are kept, as many of each as fit.
    Memory: 46 bytes a row, and twice that while they are sorted.
    """
    limit = settings.TRAIN_MAX_ROWS if max_rows is None else max_rows
    said = event_weights.of_tenant(tenant_id=tenant_id)
    parameters = {
        "tenant": tenant_id,
        "without": said.never_positive,
        "types": sorted(each.type_id for each in said.types),
        "until": until,
        "limit": limit,
    }
    with scope.tenant(tenant_id):
        each, total = _bounds(parameters, limit)
        rows = copy_out(_NEWEST_OF_EACH if each else _WINDOW, {**parameters, "each": each})
        rows = rows.take(np.argsort(rows.ids, kind="stable"))
        as_of = reference_time.as_of(tenant_id=tenant_id, now=until).timestamp()
        weights = _weights(said, rows.types, rows.values, rows.times, as_of)
        ratings = _low_ratings(said, rows)
        read, speaking = len(rows.ids), np.flatnonzero(weights > 0)
        rows, weights = rows.take(speaking), weights[speaking]
        people, users = np.unique(rows.users, return_inverse=True)
        things, items = np.unique(rows.items, return_inverse=True)
        user_ids = _external(people, _people)
        item_ids = _external(things, _present_items)
    # Items that were deleted, and people who were erased, between two statements.
    there, shown = _known(people, user_ids), _known(things, item_ids)
    kept = there[users] & shown[items]
    return Window(
        users=(np.cumsum(there) - 1)[users[kept]],
        items=(np.cumsum(shown) - 1)[items[kept]],
        times=rows.times[kept],
        weights=weights[kept],
        user_ids=[user_ids[pk] for pk in people.tolist() if pk in user_ids],
        item_ids=[item_ids[pk] for pk in things.tolist() if pk in item_ids],
        values=_values(said, rows.take(np.flatnonzero(kept))),
        ratings=ratings,
        bound=Bound(kept=read, of=total, each=each) if each else None,
    )


def histories(
    *,
    tenant_id: int,
    user_pks: Collection[int],
    per_person: int = _PER_PERSON,
    untils: Mapping[int, datetime] | None = None,
) -> dict[int, PersonalHistory]:
    """Each person's events that say something, the newest `per_person` of them; nothing for people who have none.

    Of those who are named in `untils` only what had arrived before that moment.
    """
    said = event_weights.of_tenant(tenant_id=tenant_id)
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "without": said.ignored,
        "types": sorted(each.type_id for each in said.types),
        "people": list(user_pks),
        "untils": [(untils or {}).get(pk) for pk in user_pks],
        "limit": per_person,
    }
    with scope.tenant(tenant_id):
        rows = copy_out(_HISTORIES, parameters)
        item_ids = _external(np.unique(rows.items), _present_items)
        as_of = reference_time.as_of(tenant_id=tenant_id).timestamp() if said.fades else 0.0
    rows = rows.take(np.lexsort((rows.ids, rows.times, rows.users)))
    weights = _weights(said, rows.types, rows.values, rows.times, as_of).tolist()
    names = _names(said)
    found: dict[int, PersonalHistory] = {}
    columns = (rows.users.tolist(), rows.items.tolist(), rows.times.tolist(), weights)
    kinds = zip(rows.types.tolist(), rows.values.tolist(), strict=True)
    for user_pk, item_pk, seconds, weight, (kind, value) in zip(*columns, kinds, strict=True):
        if item_pk in item_ids:
            history = found.setdefault(user_pk, PersonalHistory([], [], []))
            history.said.append((names[kind], value))
            history.item_ids.append(item_ids[item_pk])
            history.times.append(seconds)
            history.weights.append(weight)
    return found


def _bounds(parameters: dict[str, Any], limit: int) -> tuple[int, int]:
    """How many rows of each person fit, and how many rows there are; (0, 0) where all of them fit."""
    with connection.cursor() as cursor:
        cursor.execute(_MORE_THAN, parameters)
        if cursor.fetchone()[0] <= limit:
            return 0, 0
        cursor.execute(_ROWS_PER_PERSON, parameters)
        counts, people = np.array(cursor.fetchall(), dtype=np.int64).T
    low, high = 1, int(counts.max())
    while low < high:  # the largest number with which all fit
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle) @ people <= limit else (low, middle - 1)
    return low, int(counts @ people)


def _weights(
    said: Meaning, places: NDArray[np.int16], values: NDArray[np.float32], times: NDArray[np.float64], as_of: float
) -> NDArray[np.float32]:
    type_ids = np.array([*sorted(each.type_id for each in said.types), -1], dtype=np.int64)
    return strengths(said, type_ids=type_ids[places], values=values, times=times, as_of=as_of)


def _names(said: Meaning) -> tuple[str, ...]:
    """The types' names by their places in COPY's columns; "" for one that appeared since the meaning was read."""
    return (*(each.name for each in sorted(said.types, key=lambda each: each.type_id)), "")


def _values(said: Meaning, rows: Columns) -> Values:
    names = _names(said)
    kinds = np.where(rows.types < 0, len(names) - 1, rows.types)
    return Values(kinds, rows.values, names, {each.name: each.value_as_strength for each in said.types})


def _low_ratings(said: Meaning, rows: Columns) -> LowRatings | None:
    """Return how low ratings count; None where there are none, or all say the same."""
    names = _names(said)
    if RATING not in names:
        return None
    values = rows.values[(rows.types == names.index(RATING)) & np.isfinite(rows.values)]
    distinct, counts = np.unique(values, return_counts=True)
    (below,) = (each.negative_below for each in said.types if each.name == RATING)
    return low_ratings(dict(zip(distinct.tolist(), counts.tolist(), strict=True)), negative_below=below)


def _external(pks: NDArray[np.int64], query: Callable[[list[int]], Iterable[tuple[int, str]]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for start in range(0, len(pks), _IDS_PER_QUERY):
        names.update(query(pks[start : start + _IDS_PER_QUERY].tolist()))
    return names


def _known(pks: NDArray[np.int64], names: dict[int, str]) -> NDArray[np.bool_]:
    return np.array([pk in names for pk in pks.tolist()], dtype=bool)


def _people(pks: list[int]) -> Iterable[tuple[int, str]]:
    return _named("SELECT id, user_id FROM recommendations_enduser WHERE id = ANY (%s)", pks)


def _present_items(pks: list[int]) -> Iterable[tuple[int, str]]:
    return _named("SELECT id, item_id FROM recommendations_item WHERE id = ANY (%s) AND deleted_at IS NULL", pks)


def _named(statement: str, pks: list[int]) -> Iterable[tuple[int, str]]:
    """One array: a placeholder for each of thousands of numbers takes longer to write and read than the answer."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [pks])
        return list(cursor.fetchall())
