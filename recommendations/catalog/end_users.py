"""Writing end users. Erasing one reaches further than this slice: recommendations.privacy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from accounts.tenancy import scope
from core.errors import NotFound, PreconditionFailed
from recommendations.catalog import schemas
from recommendations.catalog.batch_results import Outcome, of_upsert
from recommendations.catalog.models import EndUser
from recommendations.catalog.upsert import Check, Row, Table, Version, unconditional, upsert

TABLE = Table(
    name="recommendations_enduser",
    key="user_id",
    columns={"user_id": "text", "attributes": "jsonb", "segments": "text[]", "locale": "text"},
    empty={"attributes": {}, "segments": [], "locale": ""},
    check=schemas.check_end_user,
)


def put_end_user(*, tenant_id: int, end_user: Row, now: datetime, check: Check = unconditional) -> tuple[EndUser, bool]:
    """Creates or replaces the person (all fields, as `shapes.read_end_user` gives them); True where they are new.

    `check` sees the current version, None where there is none, and may raise; nothing can change in between.
    Raises: PreconditionFailed.
    """
    with scope.tenant(tenant_id):
        current = locked(tenant_id, end_user["user_id"])
        check(version(current))
        written = upsert(table=TABLE, tenant_id=tenant_id, rows=[end_user], now=now).written
        created = any(row.created for row in written.values())
        if current is None and not created and check is not unconditional:
            raise PreconditionFailed("Another request has created it in the meantime.")
        return EndUser.objects.get(tenant_id=tenant_id, user_id=end_user["user_id"]), created


def patch_end_user(
    *, tenant_id: int, user_id: str, changes: Mapping[str, Any], now: datetime, check: Check = unconditional
) -> EndUser:
    """Replaces the given fields of the person, the others stay.

    Raises: NotFound, PreconditionFailed.
    """
    with scope.tenant(tenant_id):
        current = existing(tenant_id, user_id)
        check(version(current))
        end_user = {name: getattr(current, name) for name in TABLE.columns} | dict(changes)
        upsert(table=TABLE, tenant_id=tenant_id, rows=[end_user], now=now)
        return EndUser.objects.get(pk=current.pk, tenant_id=tenant_id)


def upsert_end_users(*, tenant_id: int, end_users: Sequence[Row], now: datetime) -> list[Outcome]:
    """Creates or changes each person: fields that a row does not name stay. One outcome per row, in order.

    Rows with one id are put together; where two name a field, the later one holds.
    """
    with scope.tenant(tenant_id):
        result = upsert(table=TABLE, tenant_id=tenant_id, rows=end_users, now=now)
    return of_upsert(end_users, "user_id", result)


def locked(tenant_id: int, user_id: str) -> EndUser | None:
    """The person's row, locked until the transaction ends; None where there is none."""
    return EndUser.objects.select_for_update().filter(tenant_id=tenant_id, user_id=user_id).order_by().first()


def existing(tenant_id: int, user_id: str) -> EndUser:
    """As `locked`.

    Raises: NotFound.
    """
    end_user = locked(tenant_id, user_id)
    if end_user is None:
        raise NotFound("There is no such end user.")
    return end_user


def version(end_user: EndUser | None) -> Version | None:
    """What an ETag is made of."""
    return None if end_user is None else Version(end_user.pk, end_user.updated_at)
