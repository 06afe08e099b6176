"""Reads the rows of a COPY into arrays, straight from PostgreSQL's binary format."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

# The format: a header, then for each row the number of fields, each preceded by its length.
_HEADER_BYTES = 19
_INTEGERS = ("id", "user", "item", "microseconds", "type")
_VALUE = "value"
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *((name, [("length", ">i4"), ("value", ">i8")]) for name in _INTEGERS),
        (_VALUE, [("length", ">i4"), ("value", ">f8")]),
    ]
)
_POSTGRES_EPOCH = 946_684_800  # 2000-01-01 in Unix seconds
_ROWS_PER_BLOCK = 65_536
# The columns that a statement must select, in this order.
SELECTED = "i.id, i.end_user_id, i.item_id, i.occurred_at, i.type_id::bigint, coalesce(i.value, 'NaN')"


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of equal length, (rows,). `values` are nan for events without one."""

    ids: NDArray[np.int64]
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.float64]
    types: NDArray[np.int16]
    values: NDArray[np.float32]

    def take(self, order: NDArray[np.int64]) -> "Columns":
        """The rows at these positions."""
        return Columns(*(column[order] for column in _columns(self)))


def copy_out(statement: str, parameters: dict[str, Any]) -> Columns:
    """Runs a COPY ... (FORMAT BINARY) of SELECTED.

    Type ids become positions in the sorted `parameters["types"]`, -1 for others.
    """
    blocks: list[Columns] = []
    buffer = bytearray()
    type_ids = np.array(parameters["types"], dtype=np.int64)
    with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        for data in copy:
            buffer += data
            if len(buffer) >= _ROWS_PER_BLOCK * _ROW.itemsize:
                _parse_rows(buffer, blocks, type_ids)
    _parse_rows(buffer, blocks, type_ids)
    if not blocks:
        return Columns(*(np.empty(0, dtype=kind) for kind in (*3 * ("i8",), "f8", "i2", "f4")))
    return Columns(*(np.concatenate(parts) for parts in zip(*map(_columns, blocks), strict=True)))


def _parse_rows(buffer: bytearray, blocks: list[Columns], type_ids: NDArray[np.int64]) -> None:
    """Moves complete rows from the buffer to the blocks; the header goes with the first, the trailer stays."""
    start = 0 if blocks else _HEADER_BYTES
    count = max(0, len(buffer) - start) // _ROW.itemsize
    if not count:
        return
    end = start + count * _ROW.itemsize
    raw = np.frombuffer(bytes(buffer[start:end]), dtype=_ROW)
    ids, users, items, microseconds, types = (raw[name]["value"].astype(np.int64) for name in _INTEGERS)
    # A type that appeared after the weights were read has no position.
    positions = (
        np.where(np.isin(types, type_ids), np.searchsorted(type_ids, types), -1)
        if len(type_ids)
        else np.full(count, -1)
    )
    blocks.append(
        Columns(
            ids=ids,
            users=users,
            items=items,
            times=microseconds / 1e6 + _POSTGRES_EPOCH,
            types=positions.astype(np.int16),
            values=raw[_VALUE]["value"].astype(np.float32),
        )
    )
    del buffer[:end]


def _columns(columns: Columns) -> tuple[NDArray[Any], ...]:
    return (columns.ids, columns.users, columns.items, columns.times, columns.types, columns.values)
