"""Catalogue data that lists need: titles, texts and ends of items."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from recommendations.catalog import availability

# One JSON text: the driver quotes each element of an array, and Django's __in writes a placeholder for each id, which
# was a third of the time of scoring a chunk.
_FACTS = """
    SELECT item_id, title, available_until{columns} FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND item_id = ANY (ARRAY(SELECT jsonb_array_elements_text(%(items)s::jsonb)))
        AND deleted_at IS NULL
"""
_FACTS_AND_AVAILABILITY = f"""
    SELECT deleted_at IS NOT NULL, {availability.available_sql()},
        item_id, title, available_until{{columns}} FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND item_id = ANY (ARRAY(SELECT jsonb_array_elements_text(%(items)s::jsonb)))
"""  # noqa: S608  # constants only
_TEXTS = ", categories, description, attributes, available_from, created_at, updated_at"


class ItemFacts(msgspec.Struct, frozen=True):
    """Data of one item, as a struct: a dataclass takes ten times as long to make. `until` is a Unix second or None.

    Loaded with `texts`, it has everything that conditions may name.
    """

    title: str
    until: float | None
    categories: tuple[str, ...] = ()
    description: str = ""
    attributes: Mapping[str, Any] = msgspec.field(default_factory=dict)
    item_id: str = ""
    available_from: datetime | None = None
    available_until: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def load_facts(*, tenant_id: int, item_ids: Collection[str], texts: bool = False) -> dict[str, ItemFacts]:
    """Facts by item id, without deleted and unknown items. Call it in the tenant's scope.

    `texts` adds categories, descriptions, attributes and times, which only AI and rules of placements need.
    """
    statement = _FACTS.format(columns=_TEXTS if texts else "")
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tenant": tenant_id, "items": json.dumps(list(item_ids), ensure_ascii=False)})
        return {row[0]: _item_facts(row, texts) for row in cursor.fetchall()}


def load_facts_and_withdrawn(
    *, tenant_id: int, item_ids: Collection[str], now: datetime, texts: bool = False
) -> tuple[dict[str, ItemFacts], set[str]]:
    """`load_facts`, and the ids of those items that are withdrawn at `now`, in one statement.

    Deleted items are among the withdrawn as long as their rows are kept. Call it in the tenant's scope.
    """
    statement = _FACTS_AND_AVAILABILITY.format(columns=_TEXTS if texts else "")
    facts: dict[str, ItemFacts] = {}
    withdrawn: set[str] = set()
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"tenant": tenant_id, "items": json.dumps(list(item_ids), ensure_ascii=False), "now": now}
        )
        for deleted, available, *row in cursor.fetchall():
            if not available:
                withdrawn.add(row[0])
            if not deleted:
                facts[row[0]] = _item_facts(row, texts)
    return facts, withdrawn


def _item_facts(row: Sequence[Any], texts: bool) -> ItemFacts:
    """Reads a row of `_FACTS`."""
    item_id, title, until, *rest = row
    ends_at = until.timestamp() if until else None
    if not texts:
        return ItemFacts(title, ends_at)
    categories, description, attributes, since, created, updated = rest
    texts_of_item = (tuple(categories), description, parsed_object(attributes))
    return ItemFacts(title, ends_at, *texts_of_item, item_id, since, until, created, updated)


def parsed_object(value: Any) -> Mapping[str, Any]:
    """A JSON column, which a raw cursor returns as text; an empty mapping for anything but an object."""
    parsed = json.loads(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, dict) else {}
