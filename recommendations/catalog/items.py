"""Writes of items. Changes of availability reach Redis after the commit and before the response."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.tenancy import scope
from core.errors import NotFound, PreconditionFailed
from recommendations import cache
from recommendations.catalog import availability, schemas
from recommendations.catalog.batch_results import RowResult, upsert_results
from recommendations.catalog.change_notifications import notify_items_changed
from recommendations.catalog.models import Item
from recommendations.catalog.selectors import UNKNOWN_ITEM
from recommendations.catalog.upsert import Check, Row, Table, UpsertResult, Version, WrittenRow, unconditional, upsert

EMPTY = {
    "title": "",
    "description": "",
    "categories": [],
    "attributes": {},
    "hidden": False,
    "available_from": None,
    "available_until": None,
}
TABLE = Table(
    name="recommendations_item",
    key="item_id",
    columns={
        "item_id": "text",
        "title": "text",
        "description": "text",
        "categories": "text[]",
        "attributes": "jsonb",
        "hidden": "boolean",
        "available_from": "timestamptz",
        "available_until": "timestamptz",
    },
    empty=EMPTY,
    check=schemas.check_item,
    tombstones=True,
)


def put_item(item: Row, *, tenant_id: int, now: datetime, check: Check = unconditional) -> tuple[Item, bool]:
    """Creates or replaces the item with all fields, as read by `schemas.read_item`.

    `check` gets the current version (None for a new item) and may raise; nothing can change in between.

    Returns:
        The item, and True if it was created.

    Raises:
        PreconditionFailed: Another request has created the item in the meantime.
    """
    with scope.tenant(tenant_id):
        current = _lock_item(tenant_id, item["item_id"])
        check(_version_of(current))
        written = _write(tenant_id, [item], now).written
        created = any(row.created for row in written.values())
        if current is None and not created and check is not unconditional:
            raise PreconditionFailed("Another request has created it in the meantime.")
        return Item.objects.get(tenant_id=tenant_id, item_id=item["item_id"]), created


def patch_item(
    *, tenant_id: int, item_id: str, changes: Mapping[str, Any], now: datetime, check: Check = unconditional
) -> Item:
    """Replaces the given fields of the item; the others stay.

    Raises: NotFound, PreconditionFailed, FieldRefused if the item would end before it begins.
    """
    with scope.tenant(tenant_id):
        current = _lock_existing_item(tenant_id, item_id)
        check(_version_of(current))
        item = {name: getattr(current, name) for name in TABLE.columns} | dict(changes)
        schemas.check_window(item)
        _write(tenant_id, [item], now)
        return Item.objects.get(pk=current.pk, tenant_id=tenant_id)


def delete_item(*, tenant_id: int, item_id: str, now: datetime, check: Check = unconditional) -> None:
    """Empties the item and withdraws it; its row stays, so that histories keep their shape.

    Raises: NotFound, PreconditionFailed.
    """
    with scope.tenant(tenant_id):
        current = _lock_existing_item(tenant_id, item_id)
        check(_version_of(current))
        Item.objects.filter(pk=current.pk, tenant_id=tenant_id).update(**EMPTY, deleted_at=now, updated_at=now)
        transaction.on_commit(lambda: cache.publish_availability(tenant_id, {item_id: 0.0}))


def upsert_items(*, tenant_id: int, items: Sequence[Row], now: datetime) -> list[RowResult]:
    """Creates or changes each item; fields that a row does not name stay. One result per row, in order.

    Rows with the same id are merged; fields of later rows take precedence.
    """
    with scope.tenant(tenant_id):
        return upsert_results(items, "item_id", _write(tenant_id, items, now))


def _write(tenant_id: int, items: Sequence[Row], now: datetime) -> UpsertResult:
    result = upsert(table=TABLE, tenant_id=tenant_id, rows=items, now=now)
    changes = dict(_withdrawals(result.written.values(), now))
    transaction.on_commit(lambda: cache.publish_availability(tenant_id, changes))
    if result.written:
        notify_items_changed(tenant_id)
    return result


def _withdrawals(written: Iterable[WrittenRow], now: datetime) -> Iterable[tuple[str, float | None]]:
    """The changes of availability to publish. A new item that is available changes nothing for readers."""
    for row in written:
        dates = (row.values["hidden"], None, row.values["available_from"], row.values["available_until"])
        at = availability.withdrawal(now, *dates)
        if at is not None or not row.is_new:
            yield row.values["item_id"], at


def _lock_item(tenant_id: int, item_id: str) -> Item | None:
    return (
        Item.objects.select_for_update()
        .filter(tenant_id=tenant_id, item_id=item_id, deleted_at__isnull=True)
        .order_by()
        .first()
    )


def _lock_existing_item(tenant_id: int, item_id: str) -> Item:
    item = _lock_item(tenant_id, item_id)
    if item is None:
        raise NotFound(UNKNOWN_ITEM)
    return item


def _version_of(item: Item | None) -> Version | None:
    return None if item is None else Version(item.pk, item.updated_at)
