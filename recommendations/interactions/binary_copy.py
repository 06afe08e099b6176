"""Rows of a COPY as arrays, straight from PostgreSQL's binary form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

# A header, then for each row the number of fields, and each with its length.
_HEADER_BYTES = 19
_WHOLE = ("id", "user", "item", "microseconds", "type")
_VALUE = "value"
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *((name, [("length", ">i4"), ("value", ">i8")]) for name in _WHOLE),
        (_VALUE, [("length", ">i4"), ("value", ">f8")]),
    ]
)
_POSTGRES_EPOCH = 946_684_800  # 2000-01-01 in Unix seconds
_ROWS_PER_BLOCK = 65_536
# What a statement must select, in this order.
SELECTED = "i.id, i.end_user_id, i.item_id, i.occurred_at, i.type_id::bigint, coalesce(i.value, 'NaN')"


@dataclass(frozen=True, eq=False)
class Columns:
    """(rows,) each. `values` are nan where an event has none."""

    ids: NDArray[np.int64]
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.float64]
    types: NDArray[np.int16]
    values: NDArray[np.float32]

    def take(self, order: NDArray[np.int64]) -> "Columns":
        """The rows at these places."""
        return Columns(*(column[order] for column in _columns(self)))


def copy_out(statement: str, parameters: dict[str, Any]) -> Columns:
    """The rows of a COPY ... (FORMAT BINARY) of SELECTED. Type ids are given as places in `parameters["types"]`."""
    blocks: list[Columns] = []
    buffer = bytearray()
    known = np.array(parameters["types"], dtype=np.int64)
    with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        for data in copy:
            buffer += data
            if len(buffer) >= _ROWS_PER_BLOCK * _ROW.itemsize:
                _take(buffer, blocks, known)
    _take(buffer, blocks, known)
    if not blocks:
        return Columns(*(np.empty(0, dtype=kind) for kind in (*3 * ("i8",), "f8", "i2", "f4")))
    return Columns(*(np.concatenate(parts) for parts in zip(*map(_columns, blocks), strict=True)))


def _take(buffer: bytearray, blocks: list[Columns], known: NDArray[np.int64]) -> None:
    """Moves the whole rows of the buffer to the blocks; the header goes with the first, the trailer stays."""
    start = 0 if blocks else _HEADER_BYTES
    count = max(0, len(buffer) - start) // _ROW.itemsize
    if not count:
        return
    end = start + count * _ROW.itemsize
    raw = np.frombuffer(bytes(buffer[start:end]), dtype=_ROW)
    ids, users, items, microseconds, types = (raw[name]["value"].astype(np.int64) for name in _WHOLE)
    # A type that appeared since the meaning was read has no place yet.
    places = np.where(np.isin(types, known), np.searchsorted(known, types), -1) if len(known) else np.full(count, -1)
    blocks.append(
        Columns(
            ids=ids,
            users=users,
            items=items,
            times=microseconds / 1e6 + _POSTGRES_EPOCH,
            types=places.astype(np.int16),
            values=raw[_VALUE]["value"].astype(np.float32),
        )
    )
    del buffer[:end]


def _columns(columns: Columns) -> tuple[NDArray[Any], ...]:
    return (columns.ids, columns.users, columns.items, columns.times, columns.types, columns.values)
