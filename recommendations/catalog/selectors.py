"""Reading the catalogue. Lists go by key, never by offset, so a page costs the same however far it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Q, QuerySet

from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.catalog.models import EndUser, Item

Position = tuple[str, ...]
Entry = TypeVar("Entry", Item, EndUser)


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items a list holds; None leaves a condition out."""

    category: str | None = None
    hidden: bool | None = None
    updated_since: datetime | None = None


def get_item(*, tenant_id: int, item_id: str) -> Item:
    """The item.

    Raises: NotFound, also for a deleted one.
    """
    with scope.tenant(tenant_id):
        item = Item.objects.filter(tenant_id=tenant_id, item_id=item_id, deleted_at__isnull=True).order_by().first()
    if item is None:
        raise NotFound("There is no such item.")
    return item


def get_end_user(*, tenant_id: int, user_id: str) -> EndUser:
    """The end user.

    Raises: NotFound.
    """
    with scope.tenant(tenant_id):
        end_user = EndUser.objects.filter(tenant_id=tenant_id, user_id=user_id).order_by().first()
    if end_user is None:
        raise NotFound("There is no such end user.")
    return end_user


def list_items(*, tenant_id: int, wanted: ItemFilter, after: Position | None, limit: int) -> list[Item]:
    """At most `limit` items behind `after`: by id, or by change where `updated_since` is given."""
    with scope.tenant(tenant_id):
        items = Item.objects.filter(tenant_id=tenant_id, deleted_at__isnull=True)
        if wanted.category is not None:
            items = items.filter(categories__contains=[wanted.category])
        if wanted.hidden is not None:
            items = items.filter(hidden=wanted.hidden)
        return list(_behind(items, "item_id", wanted.updated_since, after)[:limit])


def list_end_users(
    *, tenant_id: int, updated_since: datetime | None, after: Position | None, limit: int
) -> list[EndUser]:
    """At most `limit` people behind `after`: by id, or by change where `updated_since` is given."""
    with scope.tenant(tenant_id):
        people = EndUser.objects.filter(tenant_id=tenant_id)
        return list(_behind(people, "user_id", updated_since, after)[:limit])


def position(entry: Item | EndUser, *, by_change: bool) -> Position:
    """Where a list goes on behind this entry."""
    if by_change:
        return entry.updated_at.isoformat(), str(entry.pk)
    return (entry.item_id if isinstance(entry, Item) else entry.user_id,)


def _behind(rows: QuerySet[Entry], key: str, updated_since: datetime | None, after: Position | None) -> QuerySet[Entry]:
    if updated_since is None:
        return (rows.filter(**{f"{key}__gt": after[0]}) if after else rows).order_by(key)
    rows = rows.filter(updated_at__gte=updated_since).order_by("updated_at", "id")
    if after is None:
        return rows
    moment = datetime.fromisoformat(after[0])
    behind = Q(updated_at__gt=moment) | Q(updated_at=moment, id__gt=int(after[1]))
    return rows.filter(behind, updated_at__gte=moment)
