"""What algorithms learn from: the interaction window as arrays, and single people's histories.

Every row is a positive, whatever its value, except those of the types `impression` and `dislike`. Deleted items are
left out; hidden ones stay, since they may come back and say much about those who chose them.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

from accounts import scope
from recommendations.algorithms.dataset import Interactions
from recommendations.catalog.models import EndUser, Item
from recommendations.interactions.event_types import NOT_POSITIVE

# PostgreSQL's binary COPY form: a header, then for each row the number of fields, and each with its length.
_HEADER_BYTES = 19
_COLUMNS = ("id", "user", "item", "microseconds")
_ROW = np.dtype([("fields", ">i2"), *((name, [("length", ">i4"), ("value", ">i8")]) for name in _COLUMNS)])
_POSTGRES_EPOCH = 946_684_800  # 2000-01-01 in Unix seconds
_ROWS_PER_BLOCK = 65_536
_IDS_PER_QUERY = 50_000
_PER_PERSON = 5_000
_POSITIVE = """
    i.type_id <> ALL (ARRAY(
        SELECT t.id FROM recommendations_eventtype AS t
        WHERE t.tenant_id = %(tenant)s AND t.name = ANY (%(not_positive)s)))
"""
# No join: people and items are looked up afterwards, and NOT IN is one hashed list of the deleted. Where the planner's
# statistics were older than a large import, a join took a minute for 100,000 rows in place of a third of a second.
_WINDOW = f"""
    COPY (
        SELECT i.id, i.end_user_id, i.item_id, i.occurred_at
        FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s AND {_POSITIVE}
            AND i.item_id NOT IN (
                SELECT c.id FROM recommendations_item AS c
                WHERE c.tenant_id = %(tenant)s AND c.deleted_at IS NOT NULL)
            AND (%(until)s::timestamptz IS NULL OR i.received_at <= %(until)s)
        ORDER BY i.occurred_at DESC, i.id DESC
        LIMIT %(limit)s
    ) TO STDOUT (FORMAT BINARY)
"""  # noqa: S608  # constants only
# `+ 0` keeps the planner from reading a whole tenant's index for one person, as it does where its statistics are old.
_HISTORIES = f"""
    COPY (
        SELECT recent.id, p.id, recent.item_id, recent.occurred_at
        FROM unnest(%(people)s::bigint[]) AS p (id)
        CROSS JOIN LATERAL (
            SELECT i.id, i.item_id, i.occurred_at
            FROM recommendations_interaction AS i
            WHERE i.end_user_id = p.id AND i.tenant_id + 0 = %(tenant)s AND {_POSITIVE}
            ORDER BY i.occurred_at DESC, i.id DESC
            LIMIT %(limit)s
        ) AS recent
    ) TO STDOUT (FORMAT BINARY)
"""  # noqa: S608  # constants only


@dataclass(frozen=True, eq=False)
class Window:
    """Rows in the order in which they arrived: codes into the ids, and Unix seconds."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.float64]
    user_ids: list[str]
    item_ids: list[str]


@dataclass(frozen=True, slots=True)
class PersonalHistory:
    """What one person chose, oldest first, rows of one moment in the order of arrival. Items may repeat."""

    item_ids: list[str]
    times: list[float]


def training_window(*, tenant_id: int, until: datetime | None = None, max_rows: int | None = None) -> Interactions:
    """The newest positives as algorithms take them; `until` leaves out what arrived later.

    Memory: 32 bytes a row, and twice that while they are sorted. `max_rows` is TRAIN_MAX_ROWS if not given.
    """
    window = read_window(tenant_id=tenant_id, until=until, max_rows=max_rows)
    return Interactions.from_codes(window.users, window.items, window.times, window.user_ids, window.item_ids)


def read_window(*, tenant_id: int, until: datetime | None = None, max_rows: int | None = None) -> Window:
    """As `training_window`, before anything is merged: repeated pairs stay."""
    limit = settings.TRAIN_MAX_ROWS if max_rows is None else max_rows
    parameters = {"tenant": tenant_id, "not_positive": list(NOT_POSITIVE), "until": until, "limit": limit}
    with scope.tenant(tenant_id):
        rows = _copy_out(_WINDOW, parameters)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        people, users = np.unique(rows[:, 1], return_inverse=True)
        things, items = np.unique(rows[:, 2], return_inverse=True)
        user_ids = _external(people, _people)
        item_ids = _external(things, _present_items)
    times = _unix_seconds(rows[:, 3])
    # Items that were deleted, and people who were erased, between two statements.
    there, shown = _known(people, user_ids), _known(things, item_ids)
    kept = there[users] & shown[items]
    users, items, times = (np.cumsum(there) - 1)[users[kept]], (np.cumsum(shown) - 1)[items[kept]], times[kept]
    return Window(
        users=users,
        items=items,
        times=times,
        user_ids=[user_ids[pk] for pk in people.tolist() if pk in user_ids],
        item_ids=[item_ids[pk] for pk in things.tolist() if pk in item_ids],
    )


def histories(
    *, tenant_id: int, user_pks: Collection[int], per_person: int = _PER_PERSON
) -> dict[int, PersonalHistory]:
    """Each person's positives, the newest `per_person` of them; nothing for people who have none."""
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "not_positive": list(NOT_POSITIVE),
        "people": list(user_pks),
        "limit": per_person,
    }
    with scope.tenant(tenant_id):
        rows = _copy_out(_HISTORIES, parameters)
        item_ids = _external(np.unique(rows[:, 2]), _present_items)
    rows = rows[np.lexsort((rows[:, 0], rows[:, 3], rows[:, 1]))]
    found: dict[int, PersonalHistory] = {}
    times = _unix_seconds(rows[:, 3]).tolist()
    for user_pk, item_pk, seconds in zip(rows[:, 1].tolist(), rows[:, 2].tolist(), times, strict=True):
        if item_pk in item_ids:
            history = found.setdefault(user_pk, PersonalHistory([], []))
            history.item_ids.append(item_ids[item_pk])
            history.times.append(seconds)
    return found


def _unix_seconds(microseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    return microseconds / 1e6 + _POSTGRES_EPOCH


def _copy_out(statement: str, parameters: dict[str, Any]) -> NDArray[np.int64]:
    """The rows of a COPY as (rows, 4) of _COLUMNS, straight from its binary form."""
    blocks: list[NDArray[np.int64]] = []
    buffer = bytearray()
    with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        for data in copy:
            buffer += data
            if len(buffer) >= _ROWS_PER_BLOCK * _ROW.itemsize:
                _take(buffer, blocks)
    _take(buffer, blocks)
    return np.concatenate(blocks) if blocks else np.empty((0, len(_COLUMNS)), dtype=np.int64)


def _take(buffer: bytearray, blocks: list[NDArray[np.int64]]) -> None:
    """Moves the whole rows of the buffer to the blocks; the header goes with the first, the trailer stays."""
    start = 0 if blocks else _HEADER_BYTES
    count = max(0, len(buffer) - start) // _ROW.itemsize
    if count:
        end = start + count * _ROW.itemsize
        raw = np.frombuffer(bytes(buffer[start:end]), dtype=_ROW)
        blocks.append(np.column_stack([raw[name]["value"].astype(np.int64) for name in _COLUMNS]))
        del buffer[:end]


def _external(pks: NDArray[np.int64], query: Callable[[list[int]], Iterable[tuple[int, str]]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for start in range(0, len(pks), _IDS_PER_QUERY):
        names.update(query(pks[start : start + _IDS_PER_QUERY].tolist()))
    return names


def _known(pks: NDArray[np.int64], names: dict[int, str]) -> NDArray[np.bool_]:
    return np.array([pk in names for pk in pks.tolist()], dtype=bool)


def _people(pks: list[int]) -> Iterable[tuple[int, str]]:
    return EndUser.objects.filter(pk__in=pks).order_by().values_list("pk", "user_id")


def _present_items(pks: list[int]) -> Iterable[tuple[int, str]]:
    return Item.objects.filter(pk__in=pks, deleted_at__isnull=True).order_by().values_list("pk", "item_id")
