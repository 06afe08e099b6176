"""Reads the rows of a COPY into arrays, straight from PostgreSQL's binary format."""

import struct
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
_FIELDS, _KEY, _LENGTH = struct.Struct(">h"), struct.Struct(">iq"), struct.Struct(">i")
# Dimensions, whether there are nulls, the type, and the only dimension's size and lower bound.
_ARRAY_HEADER_BYTES = 20
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">i8")])
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


def copy_arrays(
    statement: str, parameters: dict[str, Any]
) -> tuple[list[int], NDArray[np.int64], list[NDArray[np.int64]]]:
    """Runs a COPY ... (FORMAT BINARY) of rows of a bigint and arrays of eight bytes without nulls, of one length.

    A row of PostgreSQL is a message, which costs as much as a hundred numbers: so a user's events are one row.

    Returns:
        The bigints, (rows,) lengths, and the arrays of all rows one after the other; a view of another type is free.
    """
    with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        buffer = b"".join([bytes(data) for data in copy])
    keys: list[int] = []
    lengths: list[int] = []
    parts: list[list[NDArray[Any]]] = []
    at = _HEADER_BYTES
    while (fields := _FIELDS.unpack_from(buffer, at)[0]) > 0:
        keys.append(_KEY.unpack_from(buffer, at + _FIELDS.size)[1])
        at += _FIELDS.size + _KEY.size
        row = []
        for _ in range(fields - 1):
            (size,) = _LENGTH.unpack_from(buffer, at)
            count = (size - _ARRAY_HEADER_BYTES) // _ELEMENT.itemsize
            row.append(np.frombuffer(buffer, _ELEMENT, count, at + _LENGTH.size + _ARRAY_HEADER_BYTES)["value"])
            at += _LENGTH.size + size
        lengths.append(len(row[0]))
        parts.append(row)
    columns = [np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True)]
    return keys, np.array(lengths, dtype=np.int64), columns


def type_positions(types: NDArray[np.int64], type_ids: NDArray[np.int64]) -> NDArray[np.int16]:
    """The positions of types in the sorted `type_ids`; -1 for a type that appeared after these were read."""
    if not len(type_ids):
        return np.full(len(types), -1, dtype=np.int16)
    return np.where(np.isin(types, type_ids), np.searchsorted(type_ids, types), -1).astype(np.int16)


def unix_seconds(microseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Unix seconds of PostgreSQL's timestamps."""
    return microseconds / 1e6 + _POSTGRES_EPOCH


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
    blocks.append(
        Columns(
            ids=ids,
            users=users,
            items=items,
            times=unix_seconds(microseconds),
            types=type_positions(types, type_ids),
            values=raw[_VALUE]["value"].astype(np.float32),
        )
    )
    del buffer[:end]


def _columns(columns: Columns) -> tuple[NDArray[Any], ...]:
    return (columns.ids, columns.users, columns.items, columns.times, columns.types, columns.values)
