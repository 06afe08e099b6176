"""Reads of the catalogue. Lists are paged by key, never by offset, so that every page costs the same."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Q, QuerySet

from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.catalog.models import EndUser, Item

UNKNOWN_ITEM, UNKNOWN_USER = "Unknown item.", "Unknown user."
Position = tuple[str, ...]
Entry = TypeVar("Entry", Item, EndUser)


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Conditions on a list of items; None for no condition."""

    category: str | None = None
    hidden: bool | None = None
    updated_since: datetime | None = None


def get_item(*, tenant_id: int, item_id: str) -> Item:
    """The item with this id.

    Raises: NotFound, also for deleted items.
    """
    with scope.tenant(tenant_id):
        item = Item.objects.filter(tenant_id=tenant_id, item_id=item_id, deleted_at__isnull=True).order_by().first()
    if item is None:
        raise NotFound(UNKNOWN_ITEM)
    return item


def get_end_user(*, tenant_id: int, user_id: str) -> EndUser:
    """The user with this id.

    Raises: NotFound.
    """
    with scope.tenant(tenant_id):
        end_user = EndUser.objects.filter(tenant_id=tenant_id, user_id=user_id).order_by().first()
    if end_user is None:
        raise NotFound(UNKNOWN_USER)
    return end_user


def list_items(*, tenant_id: int, conditions: ItemFilter, after: Position | None, limit: int) -> list[Item]:
    """At most `limit` items after a position, by id, or by time of change with `updated_since`."""
    with scope.tenant(tenant_id):
        items = Item.objects.filter(tenant_id=tenant_id, deleted_at__isnull=True)
        if conditions.category is not None:
            items = items.filter(categories__contains=[conditions.category])
        if conditions.hidden is not None:
            items = items.filter(hidden=conditions.hidden)
        return list(_after(items, "item_id", conditions.updated_since, after)[:limit])


def list_end_users(
    *, tenant_id: int, updated_since: datetime | None, after: Position | None, limit: int
) -> list[EndUser]:
    """At most `limit` users after a position, by id, or by time of change with `updated_since`."""
    with scope.tenant(tenant_id):
        users = EndUser.objects.filter(tenant_id=tenant_id)
        return list(_after(users, "user_id", updated_since, after)[:limit])


def position(entry: Item | EndUser, *, by_change: bool) -> Position:
    """The position after this entry."""
    if by_change:
        return entry.updated_at.isoformat(), str(entry.pk)
    return (entry.item_id if isinstance(entry, Item) else entry.user_id,)


def _after(rows: QuerySet[Entry], key: str, updated_since: datetime | None, after: Position | None) -> QuerySet[Entry]:
    if updated_since is None:
        return (rows.filter(**{f"{key}__gt": after[0]}) if after else rows).order_by(key)
    rows = rows.filter(updated_at__gte=updated_since).order_by("updated_at", "id")
    if after is None:
        return rows
    moment = datetime.fromisoformat(after[0])
    later = Q(updated_at__gt=moment) | Q(updated_at=moment, id__gt=int(after[1]))
    return rows.filter(later, updated_at__gte=moment)
