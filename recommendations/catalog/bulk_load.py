"""Passing rows to one set-based statement.

Up to a thousand rows are passed as one JSON parameter. More are first copied into a temporary table: COPY is fastest,
but PostgreSQL does not allow it on tables with row-level security.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

MAX_ROWS_AS_PARAMETER = 1000


@contextmanager
def staged_rows(
    *, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the FROM item of the rows and its parameters. Use it inside a transaction.

    `columns` maps names to SQL types; rows hold their values in that order.
    """
    if len(rows) <= MAX_ROWS_AS_PARAMETER:
        record = ", ".join(f"{column} {sql_type}" for column, sql_type in columns.items())
        records = [dict(zip(columns, map(_json_value, row), strict=True)) for row in rows]
        yield f"ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS ({record}))", {"rows": json.dumps(records)}
        return
    table = f"staging_{name}"
    with connection.cursor() as cursor:
        _copy(cursor, table, columns, rows)
        yield table, {}
        cursor.execute(f"DROP TABLE {table}")


def _copy(cursor: Any, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    definition = ", ".join(f"{column} {sql_type}" for column, sql_type in columns.items())
    json_columns = [position for position, sql_type in enumerate(columns.values()) if sql_type == "jsonb"]
    cursor.execute(f"CREATE TEMPORARY TABLE {table} ({definition}) ON COMMIT DROP")
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            values = list(row)
            for position in json_columns:
                if values[position] is not None:
                    values[position] = Jsonb(values[position])
            copy.write_row(values)


def _json_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
