"""Translation between external ids and primary keys of users and items.

Events may name unknown ids, which become stubs if the tenant wants that. All transactions take locks in the same order
and so cannot deadlock: new users by id, new items by id, then all users by primary key.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from core.errors import Conflict
from recommendations.interactions.arrays import text_array

_ATTEMPTS = 3
_IDS_PER_QUERY = 50_000
_USERS = "SELECT user_id, id FROM recommendations_enduser WHERE tenant_id = %s AND user_id = ANY (%s::text[])"
_ITEMS = "SELECT item_id, id FROM recommendations_item WHERE tenant_id = %s AND item_id = ANY (%s::text[])"
_KNOWN_ITEMS = f"{_ITEMS} AND deleted_at IS NULL"
# In the order of the ids, as locks are taken.
_NEW_USERS = """
    INSERT INTO recommendations_enduser (tenant_id, user_id, attributes, segments, locale, created_at, updated_at)
    SELECT %(tenant)s, name, '{}', '{}', '', %(now)s, %(now)s
    FROM unnest(%(names)s::text[]) WITH ORDINALITY AS new (name, place) ORDER BY place
    ON CONFLICT (tenant_id, user_id) DO NOTHING
"""
_NEW_ITEMS = """
    INSERT INTO recommendations_item
        (tenant_id, item_id, title, description, categories, attributes, hidden, created_at, updated_at)
    SELECT %(tenant)s, name, '', '', '{}', '{}', false, %(now)s, %(now)s
    FROM unnest(%(names)s::text[]) WITH ORDINALITY AS new (name, place) ORDER BY place
    ON CONFLICT (tenant_id, item_id) DO NOTHING
"""
_LOCK = """
    SELECT id, dirty_at IS NULL FROM recommendations_enduser WHERE tenant_id = %s AND id = ANY (%s)
    ORDER BY id FOR NO KEY UPDATE
"""


@dataclass(frozen=True, slots=True)
class ResolvedIds:
    """Primary keys by external id. `clean` holds the users who were not waiting for a near-line rescore."""

    users: dict[str, int]
    items: dict[str, int]
    clean: frozenset[int]


def resolve_ids(
    *,
    tenant_id: int,
    user_ids: Collection[str],
    item_ids: Collection[str],
    create: bool,
    now: datetime,
    lock: bool = True,
) -> ResolvedIds:
    """Finds or creates users and items, and locks the users until the transaction ends, so that none is erased.

    Without `create`, unknown ids are left out, and deleted items count as unknown. Without `lock`, the caller holds
    the lock of the erasure log, which keeps all users in place, and `clean` is empty.

    Raises:
        Conflict: Users are erased as quickly as they are created.
    """
    items = _find_items(tenant_id, item_ids, create=create)
    for _ in range(_ATTEMPTS):
        users = _find_users(tenant_id, user_ids)
        if create and (missing := set(user_ids) - users.keys()):
            _create(_NEW_USERS, tenant_id, missing, now)
            users |= _find_users(tenant_id, missing)
        if create and (unknown := set(item_ids) - items.keys()):
            _create(_NEW_ITEMS, tenant_id, unknown, now)
            items |= _find_items(tenant_id, unknown, create=create)
        clean = _lock_users(tenant_id, users.values()) if lock else dict.fromkeys(users.values(), False)
        if len(clean) == len(users) and (not create or len(users) == len(set(user_ids))):
            return ResolvedIds(users, items, frozenset(pk for pk, is_clean in clean.items() if is_clean))
    raise Conflict("These users are being erased right now; send the events again.")


def external_user_ids(pks: Sequence[int]) -> dict[int, str]:
    """External ids of the users that still exist, by primary key. Call it in the tenant's scope."""
    return _external_ids(pks, "SELECT id, user_id FROM recommendations_enduser WHERE id = ANY (%s::bigint[])")


def external_item_ids(pks: Sequence[int]) -> dict[int, str]:
    """External ids of the items that are not deleted, by primary key. Call it in the tenant's scope."""
    return _external_ids(
        pks, "SELECT id, item_id FROM recommendations_item WHERE id = ANY (%s::bigint[]) AND deleted_at IS NULL"
    )


def _external_ids(pks: Sequence[int], statement: str) -> dict[int, str]:
    """Passes one array as a text: thousands of placeholders, or values that are quoted, take longer than the answer."""
    names: dict[int, str] = {}
    with connection.cursor() as cursor:
        for start in range(0, len(pks), _IDS_PER_QUERY):
            cursor.execute(statement, ["{" + ",".join(map(str, pks[start : start + _IDS_PER_QUERY])) + "}"])
            names.update(cursor.fetchall())
    return names


def _find_users(tenant_id: int, names: Collection[str]) -> dict[str, int]:
    return _query(_USERS, tenant_id, names)


def _find_items(tenant_id: int, names: Collection[str], *, create: bool) -> dict[str, int]:
    return _query(_ITEMS if create else _KNOWN_ITEMS, tenant_id, names)


def _query(statement: str, tenant_id: int, names: Collection[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [tenant_id, text_array([*set(names)])])
        return dict(cursor.fetchall())


def _create(statement: str, tenant_id: int, names: Collection[str], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tenant": tenant_id, "now": now, "names": text_array(sorted(names))})


def _lock_users(tenant_id: int, pks: Collection[int]) -> dict[int, bool]:
    """Locks the users; whether each was not waiting for a rescore, by primary key."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [tenant_id, list(pks)])
        return dict(cursor.fetchall())
