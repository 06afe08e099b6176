"""Candidates beyond the usual proposals: items that may come again, and neighbours of a recent choice."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import numpy as np

from recommendations.algorithms.inference.recommender import Recommendations
from recommendations.cache.list_codec import MAX_ITEMS
from recommendations.list_kinds import BECAUSE
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.placements.rules import PlacementRules, return_moment

# Sources of a because-list: the newest choices, of which the first one with neighbours is named.
RECENT_CHOICES = 5
Key = TypeVar("Key", bound=Hashable)


def is_cold(loaded: Loaded, user: UserProfile) -> bool:
    """Tell whether the artefact knows none of the user's items."""
    return not any(loaded.index_of(item_id) is not None for item_id, _ in user.events)


def consumed(rules: PlacementRules, user: UserProfile, now: datetime) -> set[str]:
    """The items of the user's own that the rules exclude; none if consumed items may always come again."""
    since = return_moment(rules.consumed, now)
    if since == float("inf"):
        return set()
    chosen = {item_id for item_id, at in user.events if since is None or at > since}
    return chosen | {item_id for item_id, *_ in user.negative_events}


def with_returning_items(
    loaded: Loaded,
    users: Sequence[UserProfile],
    rules: Mapping[Key, PlacementRules],
    members: Mapping[Key, Sequence[int]],
    withdrawn: Sequence[str],
    now: datetime,
    *,
    limit: int,
) -> dict[Key, dict[int, Recommendations]]:
    """Recommendations by index of the user, for the sets of rules under which consumed items may come again."""
    found: dict[Key, dict[int, Recommendations]] = {}
    with entries.single_threaded():
        for key, each in rules.items():
            if return_moment(each.consumed, now) is None:
                continue
            group = [users[index] for index in members[key]]
            proposed = loaded.recommender.recommend(
                [user.history_in(loaded) for user in group],
                limit,
                filter_items=loaded.indices(withdrawn),
                filter_user_items=[loaded.indices(_recent(each, user, now)) for user in group],
                filter_already_liked_items=False,
            )
            found[key] = dict(zip(members[key], proposed, strict=True))
    return found


def _recent(rules: PlacementRules, user: UserProfile, now: datetime) -> list[str]:
    """Items that may not come again yet, and rejected ones."""
    since = return_moment(rules.consumed, now)
    assert since is not None
    return [*(item_id for item_id, at in user.events if at > since), *(item_id for item_id, *_ in user.negative_events)]


def because_of_recent_choice(
    loaded: Loaded,
    users: Sequence[UserProfile],
    rules: Mapping[Key, PlacementRules],
    members: Mapping[Key, Sequence[int]],
    withdrawn: Sequence[str],
) -> dict[int, Recommendations]:
    """Neighbours of the newest choice that has some, by index of the user; for rules that ask for them."""
    wanted = {
        index
        for key, each in rules.items()
        if any(kind.kind == BECAUSE.key for kind in each.kinds)
        for index in members[key]
    }
    if not wanted:
        return {}
    excluded = loaded.indices(withdrawn)
    found: dict[int, Recommendations] = {}
    for index in sorted(wanted):
        user = users[index]
        own = loaded.indices([item_id for item_id, _ in user.events])
        liked = [item_id for item_id, _ in reversed(user.events) if item_id not in user.rated_below_mean]
        for item_id in list(dict.fromkeys(liked))[:RECENT_CHOICES]:
            if (source := loaded.trained_index(item_id)) is None:
                continue
            near = loaded.recommender.similar_items(source, MAX_ITEMS, filter_items=np.concatenate([excluded, own]))
            if len(near.items):
                found[index] = near
                break
    return found
