"""The list that answers a request, with the items of it that are withdrawn."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from recommendations.cache.list_codec import StoredList

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)


@dataclass(frozen=True, slots=True)
class ResolvedList:
    """The list that answers.

    Attributes:
        stored: The list as it was stored.
        degraded: The reason why it is not the list that was asked for; None if it is.
        withdrawn: Withdrawals by item id (`recommendations.catalog.availability`).
        refills: A narrowed page is filled from `spare`, then with the newest items.
        spare: The popular list, for such a page.
        language: The user's language; empty if it is not known (`reason_language`).
    """

    stored: StoredList
    degraded: str | None
    withdrawn: Mapping[str, float]
    refills: bool = True
    spare: StoredList | None = None
    language: str = ""

    def without(self, item_ids: Iterable[str]) -> "ResolvedList":
        """Return the list without these items, as if they had been withdrawn."""
        return replace(self, withdrawn={**self.withdrawn, **dict.fromkeys(item_ids, 0.0)})

    def has_available_items(self, moment: float) -> bool:
        """Tell if any item of the list is available at `moment` (Unix second)."""
        stored = self.stored
        if any(is_available(item_id, self.withdrawn, stored.until, moment) for item_id in stored.head_ids):
            return True
        return bool(stored.tail) and any(
            is_available(entry["item_id"], self.withdrawn, stored.until, moment) for entry in stored.entries()
        )


def is_available(item_id: str, withdrawn: Mapping[str, float], until: Mapping[str, float], moment: float) -> bool:
    """Tell if neither the tenant's withdrawals nor those stored with the list withdraw the item at `moment`."""
    return withdrawn.get(item_id, moment + 1) > moment and until.get(item_id, moment + 1) > moment
