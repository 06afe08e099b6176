"""The list that answers, and what of it may not be shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from recommendations.cache.list_codec import StoredList
from recommendations.serving.read import selectors

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The list that answers, what to say of it, and what of it may not be shown (id -> unix second from when on).

    `refills`: a page that is narrowed is filled from `spare`, the popular list, and then with the newest items.
    `language` is that of the person it is for; empty where nobody knows it
    (recommendations.serving.read.reason_language).
    """

    stored: StoredList
    degraded: str | None
    gone: Mapping[str, float]
    refills: bool = True
    spare: StoredList | None = None
    language: str = ""


def with_gone(
    tenant_id: int, stored: StoredList, degraded: str | None, gone: Mapping[str, float] | None, now: datetime
) -> Chosen:
    """The list with what of it may not be shown, from Postgres where Redis is away."""
    if gone is None:
        gone = withdrawn_of(tenant_id, [stored], now)
    return Chosen(stored, degraded, gone)


def without(chosen: Chosen, item_ids: Iterable[str]) -> Chosen:
    """The list without these items, as if they had been withdrawn."""
    return replace(chosen, gone={**chosen.gone, **dict.fromkeys(item_ids, 0.0)})


def shows_anything(chosen: Chosen, moment: float) -> bool:
    """Whether anything of the list may be shown at this moment (unix second)."""
    gone, until = chosen.gone, chosen.stored.until
    if any(is_available(item_id, gone, until, moment) for item_id in chosen.stored.head_ids):
        return True
    return bool(chosen.stored.tail) and any(
        is_available(entry["item_id"], gone, until, moment) for entry in chosen.stored.entries()
    )


def is_available(item_id: str, gone: Mapping[str, float], until: Mapping[str, float], moment: float) -> bool:
    """Tells if neither the tenant's withdrawals nor those stored with the list withdraw the item at `moment`."""
    return gone.get(item_id, moment + 1) > moment and until.get(item_id, moment + 1) > moment


def withdrawn_of(tenant_id: int, lists: Iterable[StoredList], now: datetime) -> Mapping[str, float]:
    """Which items of these lists may not be shown, from Postgres; none where it is away."""
    listed = {entry["item_id"] for stored in lists for entry in stored.entries()}
    try:
        return selectors.withdrawn(tenant_id=tenant_id, now=now, among=listed)
    except DATABASE_AWAY:
        return {}
