"""Reads the user and the given items for a ranking, in one transaction.

A transaction costs three round trips, and each round trip more processor time than what is asked in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.conf import settings

from accounts.tenancy import scope
from core import deadline
from recommendations.degradation import DATABASE, UNKNOWN_USER
from recommendations.interactions.event_weights import EventWeights
from recommendations.pipeline.lists import current_profile, item_facts
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.serving.ranking.ranking_query import RankQuery
from recommendations.serving.read.resolved import DATABASE_AWAY

# Of a history, so many of the latest items may be quoted in reasons.
_QUOTED = 100
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UserState:
    """The person as the database knows them now; `why` where it does not."""

    person: UserProfile | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueState:
    """The given items and the user's latest items in the catalogue, and which of them are withdrawn."""

    facts: Mapping[str, ItemFacts] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()


def read(
    query: RankQuery, *, why: str | None, said: EventWeights | None, texts: bool, now: datetime
) -> tuple[UserState, CatalogueState | None]:
    """Return the person, unless `why` says why nothing personal may be used, and the items, None where nobody tells.

    `said` is what types of events mean as it was read lately, and `texts` adds to the facts what rules ask for. Within
    RANK_SECONDS; where they pass over the person, the catalogue is asked by itself, as long again.
    """
    if why is None:
        try:
            return _read(query, said, texts, now)
        except DATABASE_AWAY as error:
            _log.warning("ranked_without_person", error=str(error))
            why = DATABASE
    try:
        with deadline.within(settings.RANK_SECONDS), scope.tenant(query.tenant_id):
            return UserState(why=why), _standing(query, [], texts, now)
    except DATABASE_AWAY as error:
        _log.warning("ranked_without_catalogue", error=str(error))
        return UserState(why=why), None


def _read(query: RankQuery, said: EventWeights | None, texts: bool, now: datetime) -> tuple[UserState, CatalogueState]:
    with deadline.within(settings.RANK_SECONDS), scope.tenant(query.tenant_id):
        person = current_profile.read_current_user(tenant_id=query.tenant_id, user_id=query.user_id, weights=said)
        standing = _standing(query, _latest(person) if person else [], texts, now)
    return UserState(person) if person else UserState(why=UNKNOWN_USER), standing


def _standing(query: RankQuery, also: list[str], texts: bool, now: datetime) -> CatalogueState:
    item_ids = dict.fromkeys([*query.item_ids, *also])
    facts, withheld = item_facts.load_facts_and_withdrawn(
        tenant_id=query.tenant_id, item_ids=item_ids, now=now, texts=texts
    )
    return CatalogueState(facts, frozenset(withheld))


def _latest(person: UserProfile) -> list[str]:
    said = [*person.events, *((item_id, at) for item_id, at, _ in person.negative_events)]
    newest = dict.fromkeys(item_id for item_id, _ in sorted(said, key=lambda each: -each[1]))
    return list(newest)[:_QUOTED]
