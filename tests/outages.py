"""Servers that are away. The servers are real, the addresses are dead."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections, transaction
from django.test import override_settings
from psycopg import sql

from core import redis


@contextmanager
def redis_away() -> Iterator[None]:
    """Every new connection goes to a port where nothing listens."""
    redis.client().connection_pool.disconnect()
    redis.client.cache_clear()
    away = "redis://127.0.0.1:1/0"
    with override_settings(REDIS_URL=away, CACHES={"default": {**settings.CACHES["default"], "LOCATION": away}}):
        yield
    redis.client.cache_clear()
    redis.breaker.record_success()


@contextmanager
def postgres_away() -> Iterator[None]:
    """The next query opens a connection to a port where nothing listens."""
    connection = connections["default"]
    connection.close()
    port = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = 1
    yield
    connection.close()
    connection.settings_dict["PORT"] = port


@contextmanager
def table_locked(name: str) -> Iterator[None]:
    """Whoever reads the table waits, as for a migration that holds it."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(name)))
        yield
