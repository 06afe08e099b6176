"""Bulk writer of lists: one statement with an array per column, whatever the number of rows."""

from collections.abc import Sequence

from django.db import connection

from recommendations.pipeline.models import ReferenceList, UserList

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


def write_user_lists(rows: Sequence[UserList]) -> None:
    """Inserts users' lists or replaces those of the same build. Call it in the tenant's scope."""
    _write(
        _USER_LISTS,
        [
            (
                row.tenant_id,
                row.build_id,
                row.placement_id,
                row.end_user_id,
                row.version,
                row.source,
                row.arm,
                row.body,
                row.generated_at,
                row.person_version,
            )
            for row in rows
        ],
    )


def write_reference_lists(rows: Sequence[ReferenceList], *, replace: bool = True) -> None:
    """Inserts reference lists; without `replace` existing ones stay. Call it in the tenant's scope."""
    _write(
        _REPLACE if replace else _KEEP,
        [(row.tenant_id, row.build_id, row.kind, row.subject, row.body, row.generated_at) for row in rows],
    )


def _write(statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(statement, columns)
