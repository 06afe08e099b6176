"""Fixtures for all tests: a migrated database for each test process, the cast, and an empty Redis."""

import contextlib
import gc
import os
import shutil
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, LiteralString

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg import sql

from core import process_caches
from core.metrics.families import declared
from tests.database import empty_database, remember_sequences, storage_folder
from tests.size import LONG

# Several test processes share the machine's cores: none spreads its arithmetic over all of them, busy waiting.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A label takes declared values only; in production one that does not is let through.
declared.strict, declared.also = True, frozenset({"test"})
# The first process names the run; those that it starts inherit the name.
TEMPLATE = f"docent_template_{os.environ.setdefault('DOCENT_TEST_RUN', str(os.getpid()))}"
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
        remember_sequences()
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    # Autovacuum may be at work in it, which only a superuser may end; the server goes with the run.
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege), _admin() as connection:
        connection.execute(_statement("DROP DATABASE {} WITH (FORCE)", name))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The short form does not skip what only the long one has: a skip says that something lacks."""
    out = [] if LONG else [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_collection_finish() -> None:
    """Freezes loaded objects: the collector of garbage need not walk over it again and again."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile` the contract tests run in one process too: they share a running service."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc]  # the package has no types
        def _split_scope(self, nodeid: str) -> str:
            shared = "tests/contracts/"
            return shared if nodeid.startswith(shared) else str(super()._split_scope(nodeid))

    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


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
    process_caches.clear_all()


@pytest.fixture(scope="session", autouse=True)
def _shared_trainings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trains equal builds once for all processes of the run (tests.trainings)."""
    from tests import trainings

    base = tmp_path_factory.getbasetemp()
    with trainings.shared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "trainings"):
        yield


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
