"""Which items meet a request's `category` and `filter`: asked of PostgreSQL, once for all lists of the request.

Attributes travel in no list: they change without a build, and a filter is a promise about what they are now. So a
filtered answer costs one statement, two where the lists do not fill the page (docs/adr/0031).
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from recommendations.placements.language import Node, Person, bind
from recommendations.placements.language.binding import names_person
from recommendations.serving import queries

# As many of the newest items as the longest page and everything that may have been shown before it.
LATEST = 200


class Matcher:
    """Answers for one request; what does not depend on the person is asked once."""

    def __init__(self, *, tenant_id: int, category: str, node: Node | None, now: datetime) -> None:
        self._tenant_id = tenant_id
        self._category = category
        self._node = node
        self._now = now
        self._personal = node is not None and names_person(node)
        self._met: dict[str, bool] = {}
        self._latest: list[str] | None = None

    @property
    def narrows(self) -> bool:
        """Whether there is anything to meet."""
        return bool(self._category) or self._node is not None

    def prepare(self, item_ids: Iterable[str]) -> None:
        """Asks about all of these at once, so that `kept` finds them known."""
        if self.narrows and not self._personal:
            self._learn(set(item_ids))

    def kept(self, user_id: str | None, item_ids: Collection[str]) -> set[str]:
        """Those that meet it, and may be shown now."""
        if self._personal:
            return set(self._ask(user_id, item_ids))
        self._learn({item_id for item_id in item_ids if item_id not in self._met})
        return {item_id for item_id in item_ids if self._met[item_id]}

    def latest(self, user_id: str | None) -> list[str]:
        """The newest items that meet it, newest first."""
        if self._personal:
            return self._ask(user_id, None)
        if self._latest is None:
            self._latest = self._ask(user_id, None)
        return self._latest

    def _learn(self, item_ids: set[str]) -> None:
        if item_ids:
            met = set(self._ask(None, item_ids))
            self._met |= {item_id: item_id in met for item_id in item_ids}

    def _ask(self, user_id: str | None, item_ids: Collection[str] | None) -> list[str]:
        person = Person(user_id=user_id or "")
        if self._personal and user_id is not None:
            person = queries.person(tenant_id=self._tenant_id, user_id=user_id)
        return queries.matching(
            tenant_id=self._tenant_id,
            item_ids=item_ids,
            category=self._category,
            node=None if self._node is None else bind(self._node, person=person, now=self._now),
            now=self._now,
            limit=LATEST,
        )
