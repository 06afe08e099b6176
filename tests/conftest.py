"""Fixtures for all tests: a migrated database for each test process, the cast, and an empty Redis."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, LiteralString

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg import sql

from core import process_caches
from tests.size import LONG

# Several test processes share the machine's cores: none spreads its arithmetic over all of them, busy waiting.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# The first process names the run; those that it starts inherit the name.
TEMPLATE = f"docent_template_{os.environ.setdefault('DOCENT_TEST_RUN', str(os.getpid()))}"
# What migrations fill.
MIGRATED = ("django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
_MIGRATED_SEQUENCES = [f"{name}_id_seq" for name in MIGRATED]
_USED = "schemaname = 'public' AND last_value IS NOT NULL AND sequencename <> ALL(%s)"
# The keys that belong to the cast (tests.cast), by sequence: the last of each.
_taken: dict[str, int] = {}
pytest_plugins = ["tests.fakes.openai_fixture"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """A database for this test process, made by the owner's role as in production; the app's role uses it.

    It is a copy: whichever process comes first migrates the one that all of this run copy.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"docent_test_{worker}_{os.getpid()}"
    with _admin() as connection, django_db_blocker.unblock():
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [TEMPLATE])
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            _make_template(connection)
        connection.execute(_statement("CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE))
    _use(name)
    with django_db_blocker.unblock():
        from tests.cast import remember_cast

        remember_cast()
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"SELECT sequencename, last_value FROM pg_sequences WHERE {_USED}", [_MIGRATED_SEQUENCES])
            _taken.update(cursor.fetchall())
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    with _admin() as connection:
        connection.execute(_statement("DROP DATABASE {} WITH (FORCE)", name))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The short form does not skip what only the long one has: a skip says that something lacks."""
    out = [] if LONG else [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_sessionfinish() -> None:
    """Takes the database away that the run's databases were copies of, once all its processes have ended."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # Without a server no test needed one; autovacuum may be at work in the copy, and goes by itself.
        with (
            contextlib.suppress(psycopg.OperationalError, psycopg.errors.InsufficientPrivilege),
            _admin() as connection,
        ):
            connection.execute(_statement("DROP DATABASE IF EXISTS {} WITH (FORCE)", TEMPLATE))


def _make_template(connection: psycopg.Connection[Any]) -> None:
    from django.core.management import call_command

    connection.execute(_statement("CREATE DATABASE {}", TEMPLATE))
    _use(TEMPLATE)
    try:
        call_command("migrate", verbosity=0)
    except BaseException:
        connections.close_all()
        connection.execute(_statement("DROP DATABASE {} WITH (FORCE)", TEMPLATE))
        raise
    connections.close_all()


def _use(name: str) -> None:
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = settings.DATABASES[alias]["NAME"] = name


def _statement(text: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


def _admin() -> psycopg.Connection[Any]:
    return psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True)


@pytest.fixture(autouse=True)
def _clean_process_state() -> None:
    """Nothing that a process remembers leaks from one test into the next."""
    process_caches.forget_all()


@pytest.fixture
def redis_server() -> Iterator[Any]:
    """The real server, emptied. Each xdist process has a Redis database of its own (config.settings.test)."""
    from core import redis

    redis.client().flushdb()
    yield redis.client()
    redis.client().flushdb()


@pytest.fixture
def round_trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one entry each time this process sends something to Redis and waits.

    Counted where redis-py writes to its socket: the server's own counters also count the other test processes.
    """
    from redis.connection import AbstractConnection

    sent: list[int] = []
    original = AbstractConnection.send_packed_command

    def counted(connection: Any, command: Any, check_health: bool = True) -> None:
        if check_health:  # not the PING of a connection that has been idle
            sent.append(1)
        original(connection, command, check_health)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    return sent


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database with real commits, for races and other processes; it and the storage are emptied afterwards."""
    with django_db_blocker.unblock():
        yield
        for connection in connections.all():
            connection.close()
        empty_database()


def storage_folder() -> Path:
    """Where this test process's stored files lie."""
    return Path(settings.STORAGE_DIR)


def empty_database() -> None:
    """Takes every row away, as the owner, and every stored file; the next rows get the first keys again.

    Row by row from the tables that have any: to truncate all of them takes ten times as long.
    """
    shutil.rmtree(storage_folder(), ignore_errors=True)
    with psycopg.connect(owner_url()) as owner:
        owner.execute("SELECT set_config('docent.scope', 'all', true)")
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        looks = [
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(name, sql.Identifier(name))
            for (name,) in tables
            if name not in MIGRATED
        ]
        filled = owner.execute(sql.SQL(" UNION ALL ").join(looks)).fetchall()
        deletions = [_statement("DELETE FROM {}", name) for (name,) in filled]
        owner.execute(sql.SQL(";").join(deletions))
        owner.execute(
            "SELECT setval(format('%%I', sequencename)::regclass, coalesce((taken ->> sequencename)::bigint, 1),"
            " taken ? sequencename)"
            f" FROM pg_sequences, (SELECT %s::jsonb AS taken) t WHERE {_USED}",
            [json.dumps(_taken), _MIGRATED_SEQUENCES],
        )


def owner_url() -> str:
    base = settings.DATABASE_OWNER_URL.rpartition("/")[0]
    return f"{base}/{settings.DATABASES['owner']['NAME']}"


@pytest.fixture
def cast(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The fixed cast: `acme` is ours, `globex` the stranger. Each with an all-scopes and a read-only client."""
    committed = "committed_db" in request.fixturenames
    request.getfixturevalue("committed_db" if committed else "db")
    request.getfixturevalue("redis_server")
    from tests.cast import make_cast

    # Tenants have the same keys in each test, and a transaction that is rolled back leaves files.
    shutil.rmtree(storage_folder(), ignore_errors=True)
    # Another process may outlive a committed test, and remember which tokens that one revoked.
    return make_cast(fresh_tokens=committed)
