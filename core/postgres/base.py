"""The backend itself: Django's, counted by django-prometheus, over connections and a pool that keep to the deadline."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar

import psycopg
from django.db.backends.base.base import NO_DB_ALIAS
from django_prometheus.db.backends.postgresql import base

from core import deadline
from core.postgres import pool
from core.postgres.connection import BoundedConnection


class DeadlinePassed(psycopg.OperationalError):
    """The request's deadline has passed: no further statement is sent."""


def _driver() -> ModuleType:
    """psycopg as Django asks it, for `connect` and for the classes of its errors, with our kind of connection."""
    ours = ModuleType("core.postgres.driver", psycopg.__doc__)
    vars(ours).update({name: value for name, value in vars(psycopg).items() if not name.startswith("__")})
    vars(ours)["connect"] = BoundedConnection.connect
    return ours


@contextmanager
def pipeline(connection: Any) -> Iterator[None]:
    """Sends the statements executed inside in one round trip; their results are there at the end.

    Raises: Django's database errors, at the end.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    """Django's connection of one thread."""

    Database = _driver()
    _connection_pools: ClassVar[dict[str, pool.GuardedPool]] = {}

    @property
    def pool(self) -> pool.GuardedPool | None:
        """The process's pool where OPTIONS name one, as Django's, with connections that are checked."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            made = pool.create_pool(
                kwargs={**self.get_connection_params(), "autocommit": True},
                configure=self._configure_connection,
                options={} if options is True else options,
            )
            self._connection_pools.setdefault(self.alias, made)  # whichever thread comes first
        return self._connection_pools[self.alias]

    def _cursor(self, name: str | None = None) -> Any:
        """Refuses new statements after the deadline; rollbacks still go through."""
        if deadline.remaining() == 0:
            with self.wrap_database_errors:
                raise DeadlinePassed("the request's time is up")
        return super()._cursor(name)
