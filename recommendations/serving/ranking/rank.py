"""Ranking given items for one person: never blank, never late, and the answer says how it was made.

The active artefact scores them with what the person has done up to now. Where that cannot be had in time, the order is
that of the person's own list, of what is popular, and of the request, one after the other; `degraded` says why. However
the order is made, what may not be shown is left out, and each item that is left out is named with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings

from core import deadline
from recommendations import filter_language
from recommendations.cache.list_codec import Entry, StoredList
from recommendations.degradation import ARTEFACT, BUSY, DATABASE, NO_BUILD, NO_ITEMS, UNKNOWN_USER
from recommendations.filter_language.partial_eval import names_person
from recommendations.list_kinds import FOR_YOU
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.ranking import user_candidates
from recommendations.pipeline.ranking.kind_mixing import CandidateSource
from recommendations.pipeline.ranking.rules_engine import apply_rules, category_similarity
from recommendations.pipeline.ranking.trace import Trace
from recommendations.pipeline.ranking.variants import ListRecipe
from recommendations.placements.fallback_policy import FallbackPolicy, segment_subjects
from recommendations.placements.rules import KindShare, PlacementRules
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.lists.limiter import Limiter
from recommendations.serving.ranking import database, eligible_items, fallback_order, model_order, reading
from recommendations.serving.ranking.database import UserState
from recommendations.serving.ranking.eligible_items import EligibleItems
from recommendations.serving.ranking.prepared import PreparedRanking
from recommendations.serving.ranking.prepared_cache import prepared_rankings
from recommendations.serving.ranking.ranking_query import CONSUMED, RULES, Ranking, RankQuery
from recommendations.serving.ranking.reading import RankInputs

# Why the order is made without the artefact though the person has a list: the list comes first then.
_LIST_FIRST = frozenset({DATABASE, ARTEFACT, BUSY})


@dataclass(frozen=True, slots=True)
class _Context:
    """All that was read for one request."""

    query: RankQuery
    now: datetime
    held: RankInputs
    ready: PreparedRanking
    arm: str
    way: ListRecipe | None
    rules: PlacementRules
    looked: EligibleItems
    known: UserState
    titles: Mapping[str, ItemFacts]
    locale: str


@dataclass(frozen=True, slots=True)
class _Order:
    """An order of the items, before the rules. `scored`: by the artefact."""

    entries: list[Entry]
    source: str
    degraded: str | None
    artefact: int | None = None
    arm: str = ""
    scored: bool = False
    simulated: bool = False


def rank(*, query: RankQuery, now: datetime, limiter: Limiter) -> Ranking:
    """The items in the person's order.

    Raises: what `limiter` raises; UnknownPlacement; as `Matcher.kept` where the request has a category or filter.
    """
    held = reading.read_cache(query, now=now, limiter=limiter)
    found = prepared_rankings.get(
        query.tenant_id, query.placement, seconds=deadline.cap_timeout(settings.RANK_SECONDS / 2)
    )
    what = found or PreparedRanking(lacking=ARTEFACT)
    arm = reading.arm_of(query, what.following, held)
    way = what.following.recipe_for(arm) if what.following else None
    rules = way.rules if way else what.rules
    if held.why:
        rules = _without_person(rules)
    asks_facts = rules.filter is not None or bool(rules.boosts)
    known, standing = database.read(query, why=held.why, said=what.said, texts=asks_facts, now=now)
    looked = eligible_items.look(query, standing, withdrawn=held.cached.withdrawn, now=now)
    if not looked.known:
        rules = replace(rules, filter=None, boosts=())  # they ask what nobody can tell now
    titles = standing.facts if standing else {}
    locale = reading.language_of(query, held, known)
    case = _Context(query, now, held, what, arm, way, rules, looked, known, titles, locale)
    return _ruled(case, _scored(case) or _unscored(case, _why(case)))


def _why(case: _Context) -> str | None:
    """Why the artefact makes no order, as lists say it: without a build nobody is known or unknown to it."""
    known, lacking = case.known.why, case.ready.lacking
    return lacking if lacking == NO_BUILD and known == UNKNOWN_USER else known or lacking


def _without_person(rules: PlacementRules) -> PlacementRules:
    """The rules without what they ask of the person."""
    wanted = rules.filter if rules.filter is not None and not names_person(rules.filter) else None
    return replace(rules, filter=wanted, boosts=tuple(each for each in rules.boosts if not names_person(each.when)))


def _scored(case: _Context) -> _Order | None:
    """By the artefact; None where it, the person or anything of their history is not there."""
    way, person = case.way, case.known.person
    if way is None or person is None or case.ready.following is None or model_order.is_cold(way.loaded, person):
        return None
    usual = way.loaded is case.ready.following.default.loaded
    try:
        entries = model_order.entries(
            case.query,
            loaded=way.loaded,
            withheld=case.ready.withheld if usual else case.ready.withheld[:0],
            person=person,
            rules=case.rules,
            item_ids=case.looked.item_ids,
            facts={**case.titles, **case.looked.facts},
            now=case.now,
            locale=case.locale,
        )
    except model_order.Busy:
        return _unscored(case, BUSY)
    return _Order(entries, lists.MODEL, None, way.loaded.artefact_id, case.arm, scored=True)


def _unscored(case: _Context, why: str | None) -> _Order:
    """By what stands in."""
    query, held, person = case.query, case.held, case.known.person
    segments: tuple[str, ...] = ()
    if person is not None:
        segments = segment_subjects(case.rules.segment_by, segments=person.segments, attributes=person.attributes)
    resolver = FallbackResolver(held.cached, query.list_at, popular=held.popular)
    policy = FallbackPolicy(case.rules.fallback, segments)
    found = fallback_order.order(
        case.looked.item_ids,
        own=held.own if why in _LIST_FIRST else None,
        fallbacks=fallback_order.fallback_lists(resolver, policy, query.tenant_id),
        loaded=case.way.loaded if case.way else None,
        locale=case.locale,
    )
    made = _Order(list(found.entries), found.source, why)
    if not found.of_list or held.own is None:
        return made
    provenance = held.own.provenance
    return replace(made, artefact=provenance.artefact, arm=case.arm, simulated=provenance.simulated)


def _ruled(case: _Context, made: _Order) -> Ranking:
    """Without what the rules leave out, in the order that their boosts make of it."""
    query, trace = case.query, Trace()
    entries = apply_rules(
        sources=[CandidateSource(KindShare(FOR_YOU.key), made.entries)],
        rules=replace(case.rules, diversity=None, caps=(), fresh=None),
        facts=case.looked.facts,
        user=_who(case),
        consumed=_consumed(case),
        latest=(),
        similarity=category_similarity(case.looked.facts),
        now=case.now,
        limit=len(made.entries),
        trace=trace,
    )
    ruled = {item_id: CONSUMED if deed.rule == "consumed" else RULES for item_id, deed in trace.excluded.items()}
    left_out = {**case.looked.left_out, **ruled}
    named = {item_id: left_out[item_id] for item_id in query.item_ids if item_id in left_out}
    if not entries:
        return Ranking((), named, lists.STATIC, made.degraded or NO_ITEMS)
    simulated = made.simulated
    own = case.held.own
    if made.scored and own is not None and case.known.person is not None and _any_by_ai(own):
        told = Draft(case.known.person, made.source, tuple(entries)).with_ai_reasons_of(own)
        entries, simulated = list(told.entries), told.simulated
    return Ranking(entries, named, made.source, made.degraded, made.artefact, simulated, made.arm)


def _any_by_ai(own: StoredList) -> bool:
    return any(part.endswith(lists.BY_AI) for part in own.parts)


def _who(case: _Context) -> filter_language.Person:
    person = case.known.person
    if person is None:
        return filter_language.Person(case.query.user_id)
    return filter_language.Person(person.user_id, person.locale, person.segments, person.attributes)


def _consumed(case: _Context) -> set[str]:
    """Return what the person's list does not hold; what they turned down never comes again by itself."""
    person = case.known.person
    if person is None or case.query.consumed_too:
        return set()
    return user_candidates.consumed(case.rules, person, case.now) | {item_id for item_id, *_ in person.negative_events}
