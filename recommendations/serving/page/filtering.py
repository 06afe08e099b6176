"""Matches items against a request's `category` and `filter`, with one statement for all lists of the request.

Stored lists hold no attributes: they change without a build, and a filter applies to their present values. So a
filtered answer costs one statement, two where the lists do not fill the page (docs/adr/0030). Where the filter names
the user, the users of a request are read at once, and each resulting condition is evaluated once.

The cost of a condition is known when it is bound: it is refused above a limit, counts against the tenant's running
filters, and bounds the number of newest items that are searched (docs/adr/0042).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from core import deadline
from recommendations.filter_language import FilterTooCostly, Node, Person, bind, cost
from recommendations.filter_language.cost import MAX_BATCH_COST, MAX_COST, WORK, refuse_above
from recommendations.filter_language.partial_eval import names_person
from recommendations.serving.page import filter_concurrency
from recommendations.serving.read import selectors

# As many of the newest items as the longest page and everything that may have been shown before it.
LATEST = 200


@dataclass(frozen=True, slots=True)
class Bound:
    """A condition bound to one user. `key` identifies it as text, because 1 and true are equal."""

    key: str = ""
    node: Node | None = None
    cost: int = 1


class Matcher:
    """Matches items for one request; the same condition is evaluated once for several users.

    Without `limited` the condition is a placement's own rule, which was checked when it was written.
    """

    def __init__(
        self, *, tenant_id: int, category: str, node: Node | None, now: datetime, limited: bool = True
    ) -> None:
        self._tenant_id = tenant_id
        self._category = category
        self._node = node
        self._now = now
        self._limited = limited
        self._personal = node is not None and names_person(node)
        self._people: dict[str, Person] = {}
        self._bounds: dict[str | None, Bound] = {}
        self._costs: dict[str, int] = {}
        self._met: dict[str, dict[str, bool]] = {}
        self._latest: dict[str, list[str]] = {}

    @property
    def narrows(self) -> bool:
        """Tell if there is any condition."""
        return bool(self._category) or self._node is not None

    def introduce(self, user_ids: Collection[str]) -> None:
        """Read these users with one statement, if the condition names the user."""
        new = [user_id for user_id in dict.fromkeys(user_ids) if user_id not in self._people]
        if self._personal and new:
            self._people |= selectors.users(tenant_id=self._tenant_id, user_ids=new)

    def prepare(self, lists: Collection[tuple[str | None, Iterable[str]]]) -> None:
        """Match the items of all these users' lists at once, for later calls of `kept`.

        Raises: FilterTooCostly, RateLimited, DeadlineExceeded.
        """
        if not self.narrows:
            return
        self.introduce([user_id for user_id, _ in lists if user_id is not None])
        wanted: dict[str, tuple[Bound, set[str]]] = {}
        for user_id, item_ids in lists:
            bound = self._bound(user_id)
            wanted.setdefault(bound.key, (bound, set()))[1].update(item_ids)
        for bound, listed in wanted.values():
            self._learn(bound, listed)

    def kept(self, user_id: str | None, item_ids: Collection[str]) -> set[str]:
        """Return the available items that meet the condition.

        Raises: as `prepare`.
        """
        bound = self._bound(user_id)
        met = self._met.setdefault(bound.key, {})
        self._learn(bound, {item_id for item_id in item_ids if item_id not in met})
        return {item_id for item_id in item_ids if met[item_id]}

    def latest(self, user_id: str | None) -> list[str]:
        """Return the newest items that meet the condition, newest first; a costly one searches fewer items.

        Raises: as `prepare`.
        """
        bound = self._bound(user_id)
        if bound.key not in self._latest:
            self._latest[bound.key] = self._ask(bound, None)
        return self._latest[bound.key]

    def _bound(self, user_id: str | None) -> Bound:
        of = user_id if self._personal else None
        if of not in self._bounds:
            self._bounds[of] = self._bind(of)
        return self._bounds[of]

    def _bind(self, user_id: str | None) -> Bound:
        if self._node is None:
            return Bound()
        if user_id is not None:
            self.introduce([user_id])
        person = Person() if user_id is None else self._people[user_id]
        node = bind(self._node, person=person, now=self._now)
        bound = Bound(repr(node), node, max(1, cost(node)))
        self._costs[bound.key] = bound.cost
        if self._limited:
            refuse_above(node, MAX_COST)
            if (found := sum(self._costs.values())) > MAX_BATCH_COST:
                raise FilterTooCostly(
                    f"For {len(self._bounds) + 1:,} users the filter costs {found:,} comparisons per "
                    f"item; at most {MAX_BATCH_COST:,} are allowed for a batch. Request fewer users at once."
                )
        return bound

    def _learn(self, bound: Bound, item_ids: set[str]) -> None:
        if item_ids:
            met = set(self._ask(bound, item_ids))
            self._met.setdefault(bound.key, {}).update((item_id, item_id in met) for item_id in item_ids)

    def _ask(self, bound: Bound, item_ids: Collection[str] | None) -> list[str]:
        deadline.check()
        with filter_concurrency.filtering(tenant_id=self._tenant_id, cost=bound.cost):
            return selectors.matching(
                tenant_id=self._tenant_id,
                item_ids=item_ids,
                category=self._category,
                node=bound.node,
                now=self._now,
                limit=LATEST,
                among=WORK // max(1, sum(self._costs.values())),
            )
