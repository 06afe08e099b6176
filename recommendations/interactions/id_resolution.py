"""Translation between external ids and primary keys of users and items.

Events may name unknown ids, which become stubs if the tenant wants that. All transactions take locks in the same order
and so cannot deadlock: new users by id, new items by id, then all users by primary key.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from core.errors import Conflict
from recommendations.catalog.models import EndUser, Item

_ATTEMPTS = 3
_IDS_PER_QUERY = 50_000


@dataclass(frozen=True, slots=True)
class ResolvedIds:
    """Primary keys by external id. `clean` holds the users who were not waiting for a near-line rescore."""

    users: dict[str, int]
    items: dict[str, int]
    clean: frozenset[int]


def resolve_ids(
    *, tenant_id: int, user_ids: Collection[str], item_ids: Collection[str], create: bool, now: datetime
) -> ResolvedIds:
    """Finds or creates users and items, and locks the users until the transaction ends, so that none is erased.

    Without `create`, unknown ids are left out, and deleted items count as unknown.

    Raises:
        Conflict: Users are erased as quickly as they are created.
    """
    items = _item_pks(tenant_id, item_ids, create=create)
    for _ in range(_ATTEMPTS):
        users = _user_pks(tenant_id, user_ids)
        if create and (missing := sorted(set(user_ids) - users.keys())):
            stubs = [EndUser(tenant_id=tenant_id, user_id=name, created_at=now, updated_at=now) for name in missing]
            EndUser.objects.bulk_create(stubs, ignore_conflicts=True)
            users = _user_pks(tenant_id, user_ids)
        if create and (unknown := sorted(set(item_ids) - items.keys())):
            new = [Item(tenant_id=tenant_id, item_id=name, created_at=now, updated_at=now) for name in unknown]
            Item.objects.bulk_create(new, ignore_conflicts=True)
            items = _item_pks(tenant_id, item_ids, create=create)
        dirty = dict(
            EndUser.objects.select_for_update(no_key=True)
            .filter(tenant_id=tenant_id, pk__in=users.values())
            .order_by("pk")
            .values_list("pk", "dirty_at")
        )
        if len(dirty) == len(users) and (not create or len(users) == len(set(user_ids))):
            return ResolvedIds(users, items, frozenset(pk for pk, since in dirty.items() if since is None))
    raise Conflict("These users are being erased right now; send the events again.")


def external_user_ids(pks: Sequence[int]) -> dict[int, str]:
    """External ids of the users that still exist, by primary key. Call it in the tenant's scope."""
    return _external_ids(pks, "SELECT id, user_id FROM recommendations_enduser WHERE id = ANY (%s)")


def external_item_ids(pks: Sequence[int]) -> dict[int, str]:
    """External ids of the items that are not deleted, by primary key. Call it in the tenant's scope."""
    return _external_ids(pks, "SELECT id, item_id FROM recommendations_item WHERE id = ANY (%s) AND deleted_at IS NULL")


def _external_ids(pks: Sequence[int], statement: str) -> dict[int, str]:
    """Passes one array: thousands of placeholders take longer to write and parse than the answer."""
    names: dict[int, str] = {}
    with connection.cursor() as cursor:
        for start in range(0, len(pks), _IDS_PER_QUERY):
            cursor.execute(statement, [list(pks[start : start + _IDS_PER_QUERY])])
            names.update(cursor.fetchall())
    return names


def _user_pks(tenant_id: int, user_ids: Collection[str]) -> dict[str, int]:
    rows = EndUser.objects.filter(tenant_id=tenant_id, user_id__in=set(user_ids)).order_by()
    return dict(rows.values_list("user_id", "pk"))


def _item_pks(tenant_id: int, item_ids: Collection[str], *, create: bool) -> dict[str, int]:
    rows = Item.objects.filter(tenant_id=tenant_id, item_id__in=set(item_ids)).order_by()
    if not create:
        rows = rows.filter(deleted_at__isnull=True)
    return dict(rows.values_list("item_id", "pk"))
