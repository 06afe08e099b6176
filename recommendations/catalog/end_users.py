"""Writes of end users. Erasing one concerns other slices too: recommendations.privacy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from accounts.tenancy import scope
from core.errors import NotFound, PreconditionFailed
from recommendations.catalog import schemas
from recommendations.catalog.batch_results import RowResult, upsert_results
from recommendations.catalog.models import EndUser
from recommendations.catalog.selectors import UNKNOWN_USER
from recommendations.catalog.upsert import Check, Row, Table, Version, unconditional, upsert

TABLE = Table(
    name="recommendations_enduser",
    key="user_id",
    columns={"user_id": "text", "attributes": "jsonb", "segments": "text[]", "locale": "text"},
    empty={"attributes": {}, "segments": [], "locale": ""},
    check=schemas.check_end_user,
)


def put_end_user(end_user: Row, *, tenant_id: int, now: datetime, check: Check = unconditional) -> tuple[EndUser, bool]:
    """Creates or replaces the user with all fields, as read by `schemas.read_end_user`.

    `check` gets the current version (None for a new user) and may raise; nothing can change in between.

    Returns:
        The user, and True if it was created.

    Raises:
        PreconditionFailed: Another request has created the user in the meantime.
    """
    with scope.tenant(tenant_id):
        current = lock_end_user(tenant_id, end_user["user_id"])
        check(version_of(current))
        written = upsert(table=TABLE, tenant_id=tenant_id, rows=[end_user], now=now).written
        created = any(row.created for row in written.values())
        if current is None and not created and check is not unconditional:
            raise PreconditionFailed("Another request has created it in the meantime.")
        return EndUser.objects.get(tenant_id=tenant_id, user_id=end_user["user_id"]), created


def patch_end_user(
    *, tenant_id: int, user_id: str, changes: Mapping[str, Any], now: datetime, check: Check = unconditional
) -> EndUser:
    """Replaces the given fields of the user; the others stay.

    Raises: NotFound, PreconditionFailed.
    """
    with scope.tenant(tenant_id):
        current = lock_existing_end_user(tenant_id, user_id)
        check(version_of(current))
        end_user = {name: getattr(current, name) for name in TABLE.columns} | dict(changes)
        upsert(table=TABLE, tenant_id=tenant_id, rows=[end_user], now=now)
        return EndUser.objects.get(pk=current.pk, tenant_id=tenant_id)


def upsert_end_users(*, tenant_id: int, end_users: Sequence[Row], now: datetime) -> list[RowResult]:
    """Creates or changes each user; fields that a row does not name stay. One result per row, in order.

    Rows with the same id are merged; fields of later rows take precedence.
    """
    with scope.tenant(tenant_id):
        result = upsert(table=TABLE, tenant_id=tenant_id, rows=end_users, now=now)
    return upsert_results(end_users, "user_id", result)


def lock_end_user(tenant_id: int, user_id: str) -> EndUser | None:
    """The user's row, locked until the transaction ends; None for an unknown user."""
    return EndUser.objects.select_for_update().filter(tenant_id=tenant_id, user_id=user_id).order_by().first()


def lock_existing_end_user(tenant_id: int, user_id: str) -> EndUser:
    """The user's row, locked until the transaction ends.

    Raises: NotFound.
    """
    end_user = lock_end_user(tenant_id, user_id)
    if end_user is None:
        raise NotFound(UNKNOWN_USER)
    return end_user


def version_of(end_user: EndUser | None) -> Version | None:
    """The version that ETags are made of; None for None."""
    return None if end_user is None else Version(end_user.pk, end_user.updated_at)
