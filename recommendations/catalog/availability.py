"""Item availability, in each form that callers need: a queryset condition, SQL, and plain Python.

An item is withdrawn if it is hidden, deleted, not yet available or no longer available; otherwise it is available. A
withdrawal is the Unix second from which on an item is withdrawn: 0.0 if it already is, None if no end is known.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.db.models import Q

from recommendations.catalog.models import Item

# The columns that availability depends on, in the order in which `withdrawal` takes them.
COLUMNS = ("hidden", "deleted_at", "available_from", "available_until")
# The condition of `withdrawn` as SQL; `{}` is the moment.
WITHDRAWN_SQL = "(hidden OR deleted_at IS NOT NULL OR available_from > {0} OR available_until <= {0})"
_WITHDRAWN = f"""
    SELECT item_id FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND {WITHDRAWN_SQL.format("%(now)s")}
"""  # noqa: S608  # constants only


def available(now: datetime) -> Q:
    """Matches items that are available at `now`."""
    return (
        Q(hidden=False, deleted_at__isnull=True)
        & (Q(available_from__isnull=True) | Q(available_from__lte=now))
        & (Q(available_until__isnull=True) | Q(available_until__gt=now))
    )


def withdrawn(now: datetime) -> Q:
    """Matches items that are withdrawn at `now`."""
    return Q(hidden=True) | Q(deleted_at__isnull=False) | Q(available_from__gt=now) | Q(available_until__lte=now)


def available_sql(alias: str = "") -> str:
    """The condition of `available` as SQL with the parameter `%(now)s`, for a table that is known as `alias`."""
    item = f"{alias}." if alias else ""
    return (
        f"(NOT {item}hidden AND {item}deleted_at IS NULL "
        f"AND ({item}available_from IS NULL OR {item}available_from <= %(now)s) "
        f"AND ({item}available_until IS NULL OR {item}available_until > %(now)s))"
    )


def withdrawal(
    now: datetime,
    hidden: bool,
    deleted_at: datetime | None,
    available_from: datetime | None,
    available_until: datetime | None,
) -> float | None:
    """The Unix second from which on the item is withdrawn: 0.0 if it is hidden, deleted or not yet available."""
    if hidden or deleted_at is not None or (available_from is not None and available_from > now):
        return 0.0
    return available_until.timestamp() if available_until is not None else None


def is_withdrawn(at: float | None, moment: float) -> bool:
    """Tells if an item with this `withdrawal` is withdrawn at `moment` (Unix second)."""
    return at is not None and at <= moment


def withdrawn_ids(*, tenant_id: int, now: datetime) -> list[str]:
    """The ids of the tenant's items that are withdrawn at `now`. Call it in the tenant's scope."""
    with connection.cursor() as cursor:  # for each near-line update: the ORM takes longer than PostgreSQL
        cursor.execute(_WITHDRAWN, {"tenant": tenant_id, "now": now})
        return [item_id for (item_id,) in cursor.fetchall()]


def withdrawals(
    *, tenant_id: int, now: datetime, since: datetime | None = None, among: Collection[str] | None = None
) -> dict[str, float]:
    """The withdrawals of items that are withdrawn or have an end. Call it in the tenant's scope.

    Args:
        tenant_id: The tenant.
        now: The moment to which they apply.
        since: Leaves out items that have no end and have not changed since then.
        among: Leaves out all other items.
    """
    items = Item.objects.filter(withdrawn(now) | Q(available_until__isnull=False), tenant_id=tenant_id).order_by()
    if since is not None:
        items = items.filter(Q(updated_at__gte=since) | Q(available_until__isnull=False))
    if among is not None:
        items = items.filter(item_id__in=among)
    moments = ((item_id, withdrawal(now, *dates)) for item_id, *dates in items.values_list("item_id", *COLUMNS))
    return {item_id: at for item_id, at in moments if at is not None}
