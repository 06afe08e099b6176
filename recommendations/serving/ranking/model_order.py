"""The order of the given items by the active artefact, read with all that the person did, as near line reads it."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np
from django.conf import settings

from core import deadline, process_caches
from recommendations.algorithms.data.dataset import IntArray
from recommendations.cache.list_codec import Entry
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.placements.rules import PlacementRules, return_moment
from recommendations.serving.ranking.ranking_query import RankQuery

# So long a ranking waits for its turn; then the order is made without the artefact.
TURN_SECONDS = 0.1


class Busy(Exception):
    """As many rankings as the process allows at once are being scored."""


def is_cold(loaded: Loaded, person: UserProfile) -> bool:
    """Say whether the person is cold: nothing that the artefact knows speaks for anything."""
    return not any(loaded.index_of(item_id) is not None for item_id, _ in person.events)


def entries(
    query: RankQuery,
    *,
    loaded: Loaded,
    withheld: IntArray,
    person: UserProfile,
    rules: PlacementRules,
    item_ids: Sequence[str],
    facts: Mapping[str, ItemFacts],
    now: datetime,
    locale: str,
) -> list[Entry]:
    """The items by their scores, with reasons in the language of `locale`. `facts` are those of evidence as well.

    Equal scores stand by item id. Items of which nothing is known have the score 0 and, among themselves, the order in
    which they were given.

    Raises: Busy.
    """
    history = person.history_in(loaded)
    filter_own, barred = _competing(query, loaded, person, rules, now)
    turns = _turns()
    if not turns.acquire(timeout=deadline.cap_timeout(TURN_SECONDS)):
        raise Busy
    try:
        proposals = loaded.recommender.rank(
            history,
            loaded.indices(item_ids),
            filter_already_liked_items=filter_own,
            filter_items=np.concatenate([withheld, barred]),
        )
    finally:
        turns.release()
    made = lists.to_entries(
        loaded=loaded, proposals=proposals, facts=facts, locale=locale, rated_below_mean=person.rated_below_mean
    )
    spoken = [entry for entry in made if entry.part or entry.score]
    named = {entry.item_id for entry in spoken}
    general = lists.cached_reason("", (), locale)
    silent = [Entry(item_id, 0.0, general) for item_id in item_ids if item_id not in named]
    against = next((place for place, entry in enumerate(spoken) if entry.score < 0), len(spoken))
    return [*spoken[:against], *silent, *spoken[against:]]


def _competing(
    query: RankQuery, loaded: Loaded, person: UserProfile, rules: PlacementRules, now: datetime
) -> tuple[bool, IntArray]:
    """Return whether to filter all of the user's own items, and the ones to filter otherwise, as in their list."""
    away = float("inf") if query.consumed_too else return_moment(rules.consumed, now)
    if away is None:
        return True, np.empty(0, dtype=np.int32)
    recent = [item_id for item_id, at in person.events if at > away]
    return False, loaded.indices([*recent, *(item_id for item_id, *_ in person.negative_events)])


@process_caches.clearable
@lru_cache(maxsize=1)
def _turns() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(settings.RANKS_AT_ONCE)
