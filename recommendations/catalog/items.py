"""Writing items. A change of what may be shown reaches Redis after the commit and before the caller's answer."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.tenancy import scope
from core.errors import NotFound, PreconditionFailed
from recommendations import cache
from recommendations.catalog import availability, schemas
from recommendations.catalog.batch_results import Outcome, of_upsert
from recommendations.catalog.change_notifications import items_changed
from recommendations.catalog.models import Item
from recommendations.catalog.upsert import Check, Row, Table, Upserted, Version, Written, unconditional, upsert

EMPTIED = {
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
    empty=EMPTIED,
    check=schemas.check_item,
    tombstones=True,
)


def put_item(*, tenant_id: int, item: Row, now: datetime, check: Check = unconditional) -> tuple[Item, bool]:
    """Creates or replaces the item (all its fields, as `shapes.read_item` gives them); True where it is new.

    `check` sees the current version, None where there is none, and may raise; nothing can change in between.
    Raises: PreconditionFailed.
    """
    with scope.tenant(tenant_id):
        current = _locked(tenant_id, item["item_id"])
        check(_version(current))
        written = _write(tenant_id, [item], now).written
        created = any(row.created for row in written.values())
        if current is None and not created and check is not unconditional:
            raise PreconditionFailed("Another request has created it in the meantime.")
        return Item.objects.get(tenant_id=tenant_id, item_id=item["item_id"]), created


def patch_item(
    *, tenant_id: int, item_id: str, changes: Mapping[str, Any], now: datetime, check: Check = unconditional
) -> Item:
    """Replaces the given fields of the item, the others stay.

    Raises: NotFound, PreconditionFailed, FieldRefused where the result would end before it begins.
    """
    with scope.tenant(tenant_id):
        current = _existing(tenant_id, item_id)
        check(_version(current))
        item = {name: getattr(current, name) for name in TABLE.columns} | dict(changes)
        schemas.check_window(item)
        _write(tenant_id, [item], now)
        return Item.objects.get(pk=current.pk, tenant_id=tenant_id)


def delete_item(*, tenant_id: int, item_id: str, now: datetime, check: Check = unconditional) -> None:
    """Empties the item; its row stays, so that histories keep their shape, and is shown to nobody.

    Raises: NotFound, PreconditionFailed.
    """
    with scope.tenant(tenant_id):
        current = _existing(tenant_id, item_id)
        check(_version(current))
        Item.objects.filter(pk=current.pk, tenant_id=tenant_id).update(**EMPTIED, deleted_at=now, updated_at=now)
        transaction.on_commit(lambda: cache.publish_availability(tenant_id, {item_id: 0.0}))


def upsert_items(*, tenant_id: int, items: Sequence[Row], now: datetime) -> list[Outcome]:
    """Creates or changes each item: fields that a row does not name stay. One outcome per row, in order.

    Rows with one id are put together; where two name a field, the later one holds.
    """
    with scope.tenant(tenant_id):
        return of_upsert(items, "item_id", _write(tenant_id, items, now))


def _write(tenant_id: int, items: Sequence[Row], now: datetime) -> Upserted:
    result = upsert(table=TABLE, tenant_id=tenant_id, rows=items, now=now)
    changes = dict(_withdrawals(result.written.values(), now))
    transaction.on_commit(lambda: cache.publish_availability(tenant_id, changes))
    if result.written:
        items_changed(tenant_id)
    return result


def _withdrawals(written: Iterable[Written], now: datetime) -> Iterable[tuple[str, float | None]]:
    """The changes of availability to publish. A new item that is available changes nothing for readers."""
    for row in written:
        dates = (row.values["hidden"], None, row.values["available_from"], row.values["available_until"])
        at = availability.withdrawal(now, *dates)
        if at is not None or not row.fresh:
            yield row.values["item_id"], at


def _locked(tenant_id: int, item_id: str) -> Item | None:
    return (
        Item.objects.select_for_update()
        .filter(tenant_id=tenant_id, item_id=item_id, deleted_at__isnull=True)
        .order_by()
        .first()
    )


def _existing(tenant_id: int, item_id: str) -> Item:
    item = _locked(tenant_id, item_id)
    if item is None:
        raise NotFound("There is no such item.")
    return item


def _version(item: Item | None) -> Version | None:
    return None if item is None else Version(item.pk, item.updated_at)
