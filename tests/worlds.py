"""Worlds that many tests begin with: made once by each process, and written down again for each test.

What is written down are the rows beside those of the cast, the stored files, and the keys in Redis. Only for tests with
real commits (`committed_db`), and only where everything that a world rests on is the same each time.
"""

import shutil
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from psycopg import sql
from redis import Redis

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from tests.database import delete_rows, filled_tables, owner_url, set_sequences, storage_folder, used_sequences

T = TypeVar("T")
_SCHEMA = "worlds"
_DELETE = sql.SQL("DELETE FROM {0} a WHERE a::text NOT IN (SELECT b::text FROM {1} b);")
_INSERT = sql.SQL(
    "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM {1} b WHERE b::text NOT IN (SELECT a::text FROM {0} a);"
)
_OF_THE_CAST = frozenset({"accounts_plan", "accounts_tenant", "accounts_apiclient", "accounts_signingkey"})


@dataclass(frozen=True)
class _World:
    result: Any
    copies: dict[str, str]  # table -> its copy
    sequences: dict[str, int]
    keys: list[tuple[bytes, int, bytes]]
    files: Path


_worlds: dict[Hashable, _World] = {}


def begin_with(name: Hashable, make: Callable[[], T]) -> T:
    """Returns what `make` returns, in the world that it makes. It is called once; after that its world is restored."""
    # The cast has other keys where rows of a process that outlived its test stood in its way.
    with scope.all_tenants("test worlds"):
        place = name, *Tenant.objects.order_by("pk").values_list("pk", flat=True)
    known = _worlds.get(place)
    if known is None:
        result = make()
        _worlds[place] = _read(result)
        return result
    _write(known)
    return known.result  # type: ignore[no-any-return]  # of this `make`


def _read(result: Any) -> _World:
    with psycopg.connect(owner_url()) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(_SCHEMA)))
        copies = {
            table: f"world_{len(_worlds)}_{table}"[:60] for table in filled_tables(owner) if table not in _OF_THE_CAST
        }
        for table, copy in copies.items():
            owner.execute(sql.SQL("CREATE UNLOGGED TABLE {} AS SELECT * FROM {}").format(_copy(copy), _name(table)))
        sequences = used_sequences(owner)
    beside = storage_folder().parent
    beside.mkdir(parents=True, exist_ok=True)
    files = Path(mkdtemp(prefix="world_", dir=beside))
    if storage_folder().exists():
        shutil.copytree(storage_folder(), files / "storage")
    return _World(result, copies, sequences, _keys(), files / "storage")


def _write(world: _World) -> None:
    with psycopg.connect(owner_url()) as owner:
        there = [table for table in filled_tables(owner) if table not in _OF_THE_CAST]
        delete_rows(owner, [table for table in there if table not in world.copies])
        # Most rows stand there already where this world grew out of another; references are looked at in the end.
        changes = [
            statement.format(_name(table), _copy(copy))
            for table, copy in world.copies.items()
            for statement in ((_DELETE, _INSERT) if table in there else (_INSERT,))
        ]
        if changes:
            owner.execute(sql.Composed(changes))
        set_sequences(owner, world.sequences)
    shutil.rmtree(storage_folder(), ignore_errors=True)
    if world.files.exists():
        shutil.copytree(world.files, storage_folder())
    with _redis() as server, server.pipeline(transaction=False) as pipeline:
        pipeline.flushdb()
        for key, left, value in world.keys:
            pipeline.restore(key, max(left, 0), value)
        pipeline.execute()
    tenant_cache.load()


def _keys() -> list[tuple[bytes, int, bytes]]:
    with _redis() as server:
        return [(key, int(server.pttl(key)), server.dump(key)) for key in server.scan_iter(count=1000)]


def _redis() -> Any:
    """Of its own: that of the service gives up quickly."""
    return Redis.from_url(settings.REDIS_URL)


def _name(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)


def _copy(name: str) -> sql.Identifier:
    return sql.Identifier(_SCHEMA, name)
