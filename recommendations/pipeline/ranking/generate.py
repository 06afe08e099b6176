"""Generates users' lists for every placement: candidates from the algorithms, then each placement's rules."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from accounts.tenancy import scope
from recommendations.algorithms.inference.recommender import Recommendations
from recommendations.cache.list_codec import MAX_ITEMS
from recommendations.catalog import availability
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import pools
from recommendations.pipeline.candidates.pools import Pools
from recommendations.pipeline.lists import entries, item_facts
from recommendations.pipeline.lists.entries import SPARE, Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.ranking import user_candidates
from recommendations.pipeline.ranking.drafts import DraftBuilder
from recommendations.pipeline.ranking.trace import Trace
from recommendations.placements.rules import PlacementRules

# Recommendations for placements whose rules exclude or move items, so that lists stay full.
DEEP_LIMIT = 400
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class GeneratedLists(Generic[Key]):
    """Drafts by set of rules and index of the user, the facts that reasons rest on, and the available items."""

    drafts: Mapping[Key, Mapping[int, Draft]]
    facts: Mapping[str, ItemFacts]
    available: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Candidates(Generic[Key]):
    """Recommendations that drafts are made of, by index of the user, and the withdrawn items that they exclude.

    Attributes:
        proposals: of every user.
        returning: in place of the proposals, by set of rules under which consumed items may come again.
        because: neighbours of a recent choice.
        cold: true for users of whose items the artefact knows none.
        withdrawn: ids of items.
    """

    proposals: Sequence[Recommendations]
    returning: Mapping[Key, Mapping[int, Recommendations]]
    because: Mapping[int, Recommendations]
    cold: Sequence[bool]
    withdrawn: Sequence[str]

    def lists_for(self, key: Key) -> Mapping[int, Recommendations]:
        """Returns the recommendations for a set of rules."""
        return self.returning.get(key) or dict(enumerate(self.proposals))

    def item_ids(self, loaded: Loaded) -> set[str]:
        """Returns the ids of all items that the recommendations mention."""
        groups = (self.proposals, self.because.values(), *(each.values() for each in self.returning.values()))
        return set().union(*(entries.mentioned_ids(loaded, group) for group in groups))


def generate_lists(
    *,
    tenant_id: int,
    loaded: Loaded,
    users: Sequence[UserProfile],
    rules: Mapping[Key, PlacementRules],
    texts: bool,
    now: datetime,
    locale: str,
    members: Mapping[Key, Sequence[int]] | None = None,
    trace: Trace | None = None,
    withdrawn: Sequence[str] | None = None,
) -> GeneratedLists[Key]:
    """Generates the lists of these users by each of these sets of rules.

    Args:
        tenant_id: The tenant.
        loaded: The artefact.
        users: The users.
        rules: Sets of rules, by any key.
        texts: Loads the texts of items, which AI needs.
        now: The moment that availability and rules refer to.
        locale: For users without one of their own.
        members: The indices of the users that each set of rules is for; all by default.
        trace: Records the effects of the rules, for one user and one set of rules.
        withdrawn: The items that are withdrawn at `now`, if the caller has read them.
    """
    members = members or dict.fromkeys(rules, range(len(users)))
    has_rules = any(not each.plain for each in rules.values())
    if withdrawn is None:
        with scope.tenant(tenant_id):
            withdrawn = availability.withdrawn_ids(tenant_id=tenant_id, now=now)
    candidates = _find_candidates(
        loaded=loaded, users=users, rules=rules, members=members, withdrawn=withdrawn, now=now
    )
    by = frozenset(each.segment_by for each in rules.values())
    needed = has_rules or any(candidates.cold)
    common = pools.load_pools(tenant_id=tenant_id, loaded=loaded, by=by, locale=locale, now=now) if needed else Pools()
    texts = texts or has_rules
    item_ids = _item_ids(rules, common) | candidates.item_ids(loaded)
    if texts:
        item_ids |= {item_id for user in users for item_id, _ in user.events}
    with scope.tenant(tenant_id):
        facts = item_facts.load_facts(tenant_id=tenant_id, item_ids=item_ids, texts=texts)
    # The pools are some minutes old; items that were withdrawn since must not get into new lists (docs/adr/0010).
    available = frozenset(facts.keys() - set(candidates.withdrawn))
    builder = DraftBuilder(loaded, common.restricted_to(available), facts, now, locale, trace)
    drafts = _draft_lists(builder, candidates, users, rules, members)
    return GeneratedLists(drafts, facts, available)


def _find_candidates(
    *,
    loaded: Loaded,
    users: Sequence[UserProfile],
    rules: Mapping[Key, PlacementRules],
    members: Mapping[Key, Sequence[int]],
    withdrawn: Sequence[str],
    now: datetime,
) -> _Candidates[Key]:
    """Returns the users' candidates among the items that are not withdrawn."""
    limit = MAX_ITEMS + SPARE if all(each.plain for each in rules.values()) else DEEP_LIMIT
    return _Candidates(
        proposals=entries.propose(loaded=loaded, users=users, withdrawn=withdrawn, limit=limit),
        returning=user_candidates.with_returning_items(loaded, users, rules, members, withdrawn, now, limit=DEEP_LIMIT),
        because=user_candidates.because_of_recent_choice(loaded, users, rules, members, withdrawn),
        cold=[user_candidates.is_cold(loaded, user) for user in users],
        withdrawn=withdrawn,
    )


def _draft_lists(
    builder: DraftBuilder,
    candidates: _Candidates[Key],
    users: Sequence[UserProfile],
    rules: Mapping[Key, PlacementRules],
    members: Mapping[Key, Sequence[int]],
) -> dict[Key, Mapping[int, Draft]]:
    """Returns the drafts by set of rules and index of the user."""
    drafts: dict[Key, Mapping[int, Draft]] = {}
    for key, own in rules.items():
        lists = candidates.lists_for(key)
        drafts[key] = {
            index: builder.draft(
                own, users[index], lists[index], candidates.because.get(index), is_cold=candidates.cold[index]
            )
            for index in members[key]
        }
    return drafts


def _item_ids(rules: Mapping[Key, PlacementRules], common: Pools) -> set[str]:
    """The items of the pools and of pins."""
    named = {entry.item_id for pool in (*common.by_kind.values(), *common.segments.values()) for entry in pool}
    return named | {pin.item_id for each in rules.values() for pin in each.pins}
