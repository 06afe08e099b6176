"""Which items meet a request's `category` and `filter`: asked of PostgreSQL, once for all lists of the request.

Attributes travel in no list: they change without a build, and a filter is a promise about what they are now. So a
filtered answer costs one statement, two where the lists do not fill the page (docs/adr/0031). Where the filter names
the person, the people of a request are read at once, and each condition that comes of them is asked once.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from recommendations.placements.language import Node, Person, bind
from recommendations.placements.language.binding import names_person
from recommendations.serving import queries

# As many of the newest items as the longest page and everything that may have been shown before it.
LATEST = 200


# As many different conditions are asked about all lists at once; of more, each about its own people's.
SHARED = 10


class Matcher:
    """Answers for one request; what is asked of the same items for several people is asked once."""

    def __init__(self, *, tenant_id: int, category: str, node: Node | None, now: datetime) -> None:
        self._tenant_id = tenant_id
        self._category = category
        self._node = node
        self._now = now
        self._personal = node is not None and names_person(node)
        self._people: dict[str, Person] = {}
        # By condition, as it is once it is bound to a person and to now.
        self._met: dict[str, dict[str, bool]] = {}
        self._latest: dict[str, list[str]] = {}

    @property
    def narrows(self) -> bool:
        """Whether there is anything to meet."""
        return bool(self._category) or self._node is not None

    def prepare(self, item_ids: Iterable[str], user_ids: Collection[str]) -> None:
        """Asks about all of these at once, so that `kept` finds them known."""
        if not self.narrows:
            return
        if self._personal:
            self._people = queries.people(tenant_id=self._tenant_id, user_ids=user_ids)
        conditions = dict(self._bound(user_id) for user_id in user_ids) if self._personal else dict([self._bound(None)])
        if len(conditions) <= SHARED:
            listed = set(item_ids)
            for key, node in conditions.items():
                self._learn(key, node, listed)

    def kept(self, user_id: str | None, item_ids: Collection[str]) -> set[str]:
        """Those that meet it, and may be shown now."""
        key, node = self._bound(user_id)
        met = self._met.setdefault(key, {})
        self._learn(key, node, {item_id for item_id in item_ids if item_id not in met})
        return {item_id for item_id in item_ids if met[item_id]}

    def latest(self, user_id: str | None) -> list[str]:
        """The newest items that meet it, newest first."""
        key, node = self._bound(user_id)
        if key not in self._latest:
            self._latest[key] = self._ask(node, None)
        return self._latest[key]

    def _bound(self, user_id: str | None) -> tuple[str, Node | None]:
        """The condition for this person now, behind what tells it from others: as text, since 1 and true are equal."""
        if self._node is None:
            return "", None
        person = Person(user_id=user_id or "")
        if self._personal and user_id is not None:
            if user_id not in self._people:
                self._people |= queries.people(tenant_id=self._tenant_id, user_ids=[user_id])
            person = self._people[user_id]
        node = bind(self._node, person=person, now=self._now)
        return repr(node), node

    def _learn(self, key: str, node: Node | None, item_ids: set[str]) -> None:
        if item_ids:
            met = set(self._ask(node, item_ids))
            self._met.setdefault(key, {}).update((item_id, item_id in met) for item_id in item_ids)

    def _ask(self, node: Node | None, item_ids: Collection[str] | None) -> list[str]:
        return queries.matching(
            tenant_id=self._tenant_id,
            item_ids=item_ids,
            category=self._category,
            node=node,
            now=self._now,
            limit=LATEST,
        )
