"""Bulk writer of lists: one statement with an array per column, whatever the number of rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg
from django.db import connection

from recommendations.pipeline.models import ReferenceList

_USER_LISTS = """
    INSERT INTO recommendations_userlist
        (tenant_id, build_id, placement_id, end_user_id, version, source, arm, body, generated_at, person_version)
    SELECT * FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[], %s::text[], %s::text[], %s::bytea[],
        %s::timestamptz[], %s::bigint[])
    ON CONFLICT (build_id, placement_id, end_user_id) DO UPDATE SET
        version = excluded.version, source = excluded.source, arm = excluded.arm, body = excluded.body,
        generated_at = excluded.generated_at, person_version = excluded.person_version
"""
_REFERENCE = """
    INSERT INTO recommendations_referencelist (tenant_id, build_id, kind, subject, body, generated_at)
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bytea[], %s::timestamptz[])
    ON CONFLICT (build_id, kind, subject) DO
"""
_REPLACE = _REFERENCE + "UPDATE SET body = excluded.body, generated_at = excluded.generated_at"
_KEEP = _REFERENCE + "NOTHING"


class UserListRow(NamedTuple):
    """A row of `UserList` that is not saved yet, in the order of its columns; made in a tenth of a model's time."""

    tenant_id: int
    build_id: int
    placement_id: int
    end_user_id: int
    version: int
    source: str
    arm: str
    body: bytes
    generated_at: datetime
    person_version: int | None


def write_user_lists(rows: Sequence[UserListRow]) -> None:
    """Inserts users' lists or replaces those of the same build. Call it in the tenant's scope."""
    _write(_USER_LISTS, rows)


def write_reference_lists(rows: Sequence[ReferenceList], *, replace: bool = True) -> None:
    """Inserts reference lists; without `replace` existing ones stay. Call it in the tenant's scope."""
    _write(
        _REPLACE if replace else _KEEP,
        [(row.tenant_id, row.build_id, row.kind, row.subject, row.body, row.generated_at) for row in rows],
    )


def _write(statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    # Bodies in binary: as text they are written twice as long, and read by the server again.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement.replace("%s", "%b").encode(), columns)
