"""From the ids that events name to rows of the catalogue; unknown ones become stubs where the tenant wants that.

The order of locks is the same in every transaction, so that none waits for another in a circle: new people by id, new
items by id, then all people by row number.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from core.errors import Conflict
from recommendations.catalog.models import EndUser, Item

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class References:
    """Row numbers by external id, and those of the people who were waiting for nothing."""

    people: dict[str, int]
    items: dict[str, int]
    clean: frozenset[int]


def resolve(
    *, tenant_id: int, user_ids: Collection[str], item_ids: Collection[str], create: bool, now: datetime
) -> References:
    """Finds or creates both and locks the people until the transaction ends, so that nobody is erased meanwhile.

    Without `create`, unknown ones are left out, and a deleted item counts as unknown.
    Raises: Conflict when people are erased as quickly as they are created.
    """
    items = _items(tenant_id, item_ids, create=create)
    for _ in range(_ATTEMPTS):
        people = _people(tenant_id, user_ids)
        if create and (missing := sorted(set(user_ids) - people.keys())):
            stubs = [EndUser(tenant_id=tenant_id, user_id=name, created_at=now, updated_at=now) for name in missing]
            EndUser.objects.bulk_create(stubs, ignore_conflicts=True)
            people = _people(tenant_id, user_ids)
        if create and (unknown := sorted(set(item_ids) - items.keys())):
            new = [Item(tenant_id=tenant_id, item_id=name, created_at=now, updated_at=now) for name in unknown]
            Item.objects.bulk_create(new, ignore_conflicts=True)
            items = _items(tenant_id, item_ids, create=create)
        dirty = dict(
            EndUser.objects.select_for_update(no_key=True)
            .filter(tenant_id=tenant_id, pk__in=people.values())
            .order_by("pk")
            .values_list("pk", "dirty_at")
        )
        if len(dirty) == len(people) and (not create or len(people) == len(set(user_ids))):
            return References(people, items, frozenset(pk for pk, since in dirty.items() if since is None))
    raise Conflict("People are being erased at this moment; send the events again.")


def _people(tenant_id: int, user_ids: Collection[str]) -> dict[str, int]:
    found = EndUser.objects.filter(tenant_id=tenant_id, user_id__in=set(user_ids)).order_by()
    return dict(found.values_list("user_id", "pk"))


def _items(tenant_id: int, item_ids: Collection[str], *, create: bool) -> dict[str, int]:
    found = Item.objects.filter(tenant_id=tenant_id, item_id__in=set(item_ids)).order_by()
    if not create:
        found = found.filter(deleted_at__isnull=True)
    return dict(found.values_list("item_id", "pk"))
