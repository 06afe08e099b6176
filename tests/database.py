"""The database and the stored files of a test process: emptied, and what is in them."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

# What migrations fill.
MIGRATED = ("django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
_MIGRATED_SEQUENCES = [f"{name}_id_seq" for name in MIGRATED]
_OURS = "schemaname = 'public' AND sequencename <> ALL(%s)"
# The keys that belong to the cast (tests.cast), by sequence: the last of each.
_taken: dict[str, int] = {}
Owner = psycopg.Connection[Any]


def owner_url() -> str:
    """This test process's database, for the owner's role."""
    base = settings.DATABASE_OWNER_URL.rpartition("/")[0]
    return f"{base}/{settings.DATABASES['owner']['NAME']}"


def storage_folder() -> Path:
    """A folder for this test process's stored files lie."""
    return Path(settings.STORAGE_DIR)


def remember_sequences() -> None:
    """From now on `empty_database` lets keys begin after those that are taken now."""
    with psycopg.connect(owner_url()) as owner:
        _taken.update(used_sequences(owner))


def empty_database() -> None:
    """Takes every row away, as the owner, and every stored file; the next rows get the first keys again."""
    shutil.rmtree(storage_folder(), ignore_errors=True)
    with psycopg.connect(owner_url()) as owner:
        delete_rows(owner, filled_tables(owner))
        set_sequences(owner, _taken)


def filled_tables(owner: Owner) -> list[str]:
    """The tables that have rows beside those that migrations wrote."""
    owner.execute("SELECT set_config('docent.scope', 'all', true)")
    tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    looks = [
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(name, sql.Identifier(name))
        for (name,) in tables
        if name not in MIGRATED
    ]
    return [name for (name,) in owner.execute(sql.SQL(" UNION ALL ").join(looks)).fetchall()]


def delete_rows(owner: Owner, tables: Iterable[str]) -> None:
    """Row by row from the tables that have any: to truncate all of them takes ten times as long."""
    deletions = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in tables]
    owner.execute(sql.SQL(";").join(deletions))


def used_sequences(owner: Owner) -> dict[str, int]:
    """The last key of each sequence that has given any."""
    used = f"SELECT sequencename, last_value FROM pg_sequences WHERE {_OURS} AND last_value IS NOT NULL"
    return dict(owner.execute(used, [_MIGRATED_SEQUENCES]).fetchall())


def set_sequences(owner: Owner, taken: Mapping[str, int]) -> None:
    """Each goes on after the key that is taken; those that are not named begin anew."""
    owner.execute(
        "SELECT setval(format('%%I', sequencename)::regclass, coalesce((taken ->> sequencename)::bigint, 1),"
        " taken ? sequencename)"
        f" FROM pg_sequences, (SELECT %s::jsonb AS taken) t WHERE {_OURS}"
        " AND (last_value IS NOT NULL OR taken ? sequencename)",
        [json.dumps(dict(taken)), _MIGRATED_SEQUENCES],
    )
