"""The query of a list: its owner, and the options of the caller."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from recommendations.cache.list_codec import HEAD


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one request.

    Attributes:
        filter: The condition as it was written.
        item_attributes: The attributes that `include_item` shows; None for all.
        shown: Digests of the items of earlier pages.
        language: The language that the request prefers; empty for none.
    """

    limit: int = HEAD
    category: str = ""
    exclude: frozenset[str] = frozenset()
    include_item: bool = False
    explain: bool = False
    filter: str = ""
    item_attributes: frozenset[str] | None = None
    shown: Sequence[bytes] = field(default_factory=tuple)
    language: str = ""

    @property
    def usual(self) -> bool:
        """Tell if the stored head can be the answer."""
        return self.limit == HEAD and not (self.narrows or self.include_item or self.explain or self.shown)

    @property
    def narrows(self) -> bool:
        """Tell if items of the list are left out."""
        return bool(self.category or self.filter or self.exclude)

    def binding(self) -> str:
        """Return the text that a cursor of the next page is bound to, besides its subject."""
        return json.dumps([self.category, sorted(self.exclude), self.include_item, self.explain, self.filter])


@dataclass(frozen=True, slots=True)
class Subject:
    """The owner of a list: a user at a placement, or something that is no user, such as an item."""

    tenant_id: int
    user_id: str | None = None
    placement: str | None = None
    reference: str = ""

    def binding(self) -> str:
        """Return the text that distinguishes its cursors from all others."""
        return json.dumps([self.tenant_id, self.user_id, self.placement, self.reference])
