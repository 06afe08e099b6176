"""What lists need of the catalogue: which items may be shown, their titles, and when they end."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from recommendations.catalog.models import Item

# An array, where Django's __in writes a placeholder for each id: a third of the time of scoring a chunk.
_FACTS = """
    SELECT item_id, title, available_until{columns} FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND item_id = ANY (%(items)s) AND deleted_at IS NULL
"""
# Of hundreds of ids one JSON text is quicker to write than an array, for which the driver quotes each.
_STANDING = """
    SELECT deleted_at IS NOT NULL, coalesce(hidden OR available_from > %(now)s OR available_until <= %(now)s, FALSE),
        item_id, title, available_until{columns} FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND item_id = ANY (ARRAY(SELECT jsonb_array_elements_text(%(items)s::jsonb)))
"""
_TEXTS = ", categories, description, attributes, available_from, created_at, updated_at"
# The columns that `ends` takes, in its order.
DATES = ("hidden", "deleted_at", "available_from", "available_until")


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """One item, as far as lists and reasons speak of it. `until` is a unix second, None for no end.

    With `texts` (see `facts`) it is all that conditions may name.
    """

    title: str
    until: float | None
    categories: tuple[str, ...] = field(default=())
    description: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    item_id: str = ""
    available_from: datetime | None = None
    available_until: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def withheld(now: datetime) -> Q:
    """Items that may not be shown at this moment."""
    return Q(hidden=True) | Q(deleted_at__isnull=False) | Q(available_from__gt=now) | Q(available_until__lte=now)


def withheld_ids(*, tenant_id: int, now: datetime) -> list[str]:
    """The ids of the tenant's items that may not be shown at this moment. Call it in the tenant's scope."""
    rows = Item.objects.filter(withheld(now), tenant_id=tenant_id).order_by()
    return list(rows.values_list("item_id", flat=True))


def facts(*, tenant_id: int, item_ids: Collection[str], texts: bool = False) -> dict[str, ItemFacts]:
    """Facts by item id; items that do not exist or are deleted are missing. Call it in the tenant's scope.

    `texts` adds categories, descriptions, attributes and times, which only AI and placements' rules need.
    """
    statement = _FACTS.format(columns=_TEXTS if texts else "")
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tenant": tenant_id, "items": list(item_ids)})
        return {row[0]: _item_facts(row, texts) for row in cursor.fetchall()}


def facts_and_withheld(
    *, tenant_id: int, item_ids: Collection[str], now: datetime, texts: bool = False
) -> tuple[dict[str, ItemFacts], set[str]]:
    """`facts`, and those of the items that are in the catalogue and may not be shown at this moment, in one statement.

    A deleted item is among the latter for as long as its row is kept. Call it in the tenant's scope.
    """
    statement = _STANDING.format(columns=_TEXTS if texts else "")
    found: dict[str, ItemFacts] = {}
    barred: set[str] = set()
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"tenant": tenant_id, "items": json.dumps(list(item_ids), ensure_ascii=False), "now": now}
        )
        for deleted, not_shown, *row in cursor.fetchall():
            if deleted or not_shown:
                barred.add(row[0])
            if not deleted:
                found[row[0]] = _item_facts(row, texts)
    return found, barred


def _item_facts(row: Sequence[Any], texts: bool) -> ItemFacts:
    """From the columns of `_FACTS`."""
    item_id, title, until, *rest = row
    ends_at = until.timestamp() if until else None
    if not texts:
        return ItemFacts(title, ends_at)
    categories, description, attributes, since, created, updated = rest
    held = (tuple(categories), description, parsed_object(attributes))
    return ItemFacts(title, ends_at, *held, item_id, since, until, created, updated)


def parsed_object(value: Any) -> Mapping[str, Any]:
    """A JSON column that a cursor of ours reads as text."""
    parsed = json.loads(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, dict) else {}


def withdrawn_since(*, tenant_id: int, since: datetime, now: datetime) -> dict[str, float]:
    """Items changed since then that may not be shown, or will not be: the unix second from when on, 0 for now.

    Items with an end are all in it. Call it in the tenant's scope.
    """
    rows = Item.objects.filter(
        withheld(now) | Q(available_until__isnull=False),
        Q(updated_at__gte=since) | Q(available_until__isnull=False),
        tenant_id=tenant_id,
    ).order_by()
    found = ((item_id, ends(now, *dates)) for item_id, *dates in rows.values_list("item_id", *DATES))
    return {item_id: moment for item_id, moment in found if moment is not None}


def ends(
    now: datetime, hidden: bool, deleted: datetime | None, since: datetime | None, until: datetime | None
) -> float | None:
    """From which unix second on an item may not be shown: 0 for already, None for never."""
    if hidden or deleted or (since and since > now):
        return 0.0
    return until.timestamp() if until else None
