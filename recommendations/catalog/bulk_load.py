"""Rows on their way into one set-based statement.

Up to a thousand rows travel as one JSON parameter. More are copied into a temporary table first: COPY is the quickest
way in, but PostgreSQL refuses it on a table under row-level security.
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
def staged(
    *, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gives what to write behind FROM, and the parameters that it needs. Inside a transaction only.

    `columns` maps names to SQL types, and rows hold their values in that order.
    """
    if len(rows) <= MAX_ROWS_AS_PARAMETER:
        record = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        plain = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
        yield f"ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS ({record}))", {"rows": json.dumps(plain)}
        return
    table = f"staging_{name}"
    with connection.cursor() as cursor:
        _copy(cursor, table, columns, rows)
        yield table, {}
        cursor.execute(f"DROP TABLE {table}")


def _copy(cursor: Any, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    definition = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    json_columns = [position for position, kind in enumerate(columns.values()) if kind == "jsonb"]
    cursor.execute(f"CREATE TEMPORARY TABLE {table} ({definition}) ON COMMIT DROP")
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            values = list(row)
            for position in json_columns:
                if values[position] is not None:
                    values[position] = Jsonb(values[position])
            copy.write_row(values)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
