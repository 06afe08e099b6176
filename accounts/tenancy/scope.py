"""The tenant scope: which tenant's rows the current piece of SQL may see.

Row-level security is forced on every tenant table (architecture.md section 4). Outside a scope no row is visible.
A scope opens a transaction and sets its two variables, and the time that its statements may take, for that transaction
only: a connection pool is safe, and so is PgBouncer.

It guards against a forgotten filter. It does not guard against SQL injection: whoever can run SQL can set a scope.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import structlog
from django.db import connections, transaction

from core.postgres import limits
from core.postgres.base import pipeline
from core.postgres.row_level_security import EnableTenantScope

__all__ = ["AppRouter", "EnableTenantScope", "all_tenants", "tenant", "tenant_without_savepoints"]

_log = structlog.get_logger(__name__)
_ATTRIBUTE = "docent_scope"
_FLAT = "docent_scope_is_flat"
_CLOSED = ("", "")


@contextmanager
def tenant(tenant_id: int, *, using: str = "default", together: Callable[[], None] | None = None) -> Iterator[None]:
    """Limits reads and writes inside to this tenant's rows. Commits at the end, rolls back on an error.

    `together` executes the first statements: they are sent with the opening of the scope, in one round trip, and their
    results are there when the scope is open. A database error of theirs is raised unchanged.
    """
    with _scope((str(int(tenant_id)), ""), using, together):
        yield


@contextmanager
def tenant_without_savepoints(tenant_id: int, *, using: str = "default") -> Iterator[None]:
    """`tenant`, inside which further scopes of this tenant cost no statement: an error undoes the whole of it.

    For a series of reads that ends with a write, none of which is tried again.
    """
    connection = connections[using]
    before = getattr(connection, _FLAT, False)
    with tenant(tenant_id, using=using):
        setattr(connection, _FLAT, True)
        try:
            yield
        finally:
            setattr(connection, _FLAT, before)


@contextmanager
def all_tenants(reason: str, *, using: str = "default") -> Iterator[None]:
    """Makes every tenant's rows visible inside. Only for look-ups before the tenant is known, planners, and staff."""
    _log.debug("scope_all_tenants", reason=reason)
    with _scope(("", "all"), using):
        yield


@contextmanager
def _scope(wanted: tuple[str, str], using: str, together: Callable[[], None] | None = None) -> Iterator[None]:
    connection = connections[using]
    outermost = not connection.in_atomic_block
    if not outermost and getattr(connection, _FLAT, False) and getattr(connection, _ATTRIBUTE, _CLOSED) == wanted:
        yield
        return
    with transaction.atomic(using=using):
        before = _CLOSED if outermost else getattr(connection, _ATTRIBUTE, _CLOSED)
        try:
            with pipeline(connection) if together is not None else nullcontext():
                if before != wanted:
                    _set(connection, wanted)
                if together is not None:
                    together()
            yield
        except BaseException:
            # Rolling back takes the variables back as well: to the savepoint's, or with the transaction to none.
            setattr(connection, _ATTRIBUTE, before)
            raise
        if outermost or connection.needs_rollback:  # the end of the transaction, or of the savepoint, takes it back
            setattr(connection, _ATTRIBUTE, before)
        elif before != wanted:
            _set(connection, before)


def _set(connection: Any, scope: tuple[str, str]) -> None:
    variables = {"docent.tenant": scope[0], "docent.scope": scope[1], **limits.transaction_settings()}
    wanted = ", ".join(["set_config(%s, %s, true)"] * len(variables))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {wanted}", [part for pair in variables.items() for part in pair])  # no input in it
    setattr(connection, _ATTRIBUTE, scope)


class AppRouter:
    """Migrations run as the owner; everything else as the app's role."""

    def db_for_read(self, _model: Any, **_hints: Any) -> str:
        """The app's role."""
        return "default"

    def db_for_write(self, _model: Any, **_hints: Any) -> str:
        """The app's role."""
        return "default"

    def allow_relation(self, _one: Any, _other: Any, **_hints: Any) -> bool:
        """Returns true: both aliases are one database."""
        return True

    def allow_migrate(self, db: str, _app_label: str, **_hints: Any) -> bool:
        """Returns true for the owner, the only role that changes the schema."""
        return db == "owner"
