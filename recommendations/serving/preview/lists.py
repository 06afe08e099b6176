"""The two lists that a preview compares: the one that the rules would make, and the one that is served."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from accounts.tenancy import flags, scope
from core.errors import Conflict
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.cache.list_codec import Provenance, StoredList, decode, decode_or_none
from recommendations.degradation import FLAG, NO_BUILD
from recommendations.explanations import templates
from recommendations.models import Build, Placement, PlacementVersion
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.ranking import generate, pins
from recommendations.pipeline.ranking.trace import Trace
from recommendations.placements.fallback_policy import FallbackPolicy
from recommendations.placements.models import HOME
from recommendations.placements.rules import PlacementRules
from recommendations.serving.lists.cached_lists import CachedLists
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.lists.placeholders import encode_placeholders
from recommendations.serving.page import render, selection
from recommendations.serving.read import selectors
from recommendations.serving.read.list_query import Options
from recommendations.serving.read.resolved import ResolvedList


@dataclass(frozen=True, slots=True)
class PreviewQuery:
    """The version, the user and the moment of a preview."""

    place: Placement
    version: PlacementVersion
    rules: PlacementRules
    person: UserProfile
    now: datetime

    @property
    def tenant_id(self) -> int:
        """The tenant of the placement."""
        return self.place.tenant_id


def made_list(query: PreviewQuery, trace: Trace) -> ResolvedList:
    """Return the list that a build would make with the active artefact, as it would be read now."""
    loaded, rules, person = _loaded(query), query.rules, query.person
    locale = lists.tenant_locale(query.tenant_id)
    placed = generate.generate_lists(
        tenant_id=query.tenant_id,
        loaded=loaded,
        users=[person],
        rules={query.version.pk: rules},
        texts=True,
        now=query.now,
        locale=locale,
        trace=trace,
    )
    own = person.locale or locale
    made = placed.drafts[query.version.pk][0]
    made = replace(made, entries=pins.apply_pins(made.entries, rules, placed.available, own))
    body = lists.encode_list(
        owner=person.user_id,
        entries=made.entries,
        facts=placed.facts,
        provenance=Provenance(
            query.place.active_build_id or 0, 0, made.source, lists.rfc3339(query.now), loaded.artefact_id
        ),
        locale=own,
        reading=pins.reader_rules(made, rules, placed.available, own),
    )
    return _resolved(query, decode(body))


def _loaded(query: PreviewQuery) -> Loaded:
    build = query.place.active_build or _build_of_home(query.tenant_id)
    if build is None or build.artefact is None:
        raise Conflict("There is no build yet, so no list can be made.")
    try:
        alone = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
    except (OSError, UnreadableArtefact) as error:
        raise Conflict(f"Artefact #{build.artefact.pk} cannot be read: {error}") from error
    return live.with_fresh_items(alone, tenant_id=query.tenant_id, build_id=build.pk)


def _build_of_home(tenant_id: int) -> Build | None:
    """Return the build of home: a placement that is newer than the last build uses its artefact."""
    with scope.tenant(tenant_id):
        home = Placement.objects.select_related("active_build__artefact").filter(tenant_id=tenant_id, name=HOME)
        placement = home.order_by().first()
    return placement.active_build if placement else None


def served_list(query: PreviewQuery) -> ResolvedList:
    """Return the list that the API answers with, from PostgreSQL."""
    tenant_id, user_id, name = query.tenant_id, query.person.user_id, query.place.name
    if not flags.is_on(flags.RECOMMENDATIONS, tenant_id=tenant_id, user_id=user_id):
        return _resolver(query).resolve(degraded=FLAG)
    row = selectors.user_lists(tenant_id=tenant_id, placement=name, user_ids=[user_id])[user_id]
    if isinstance(row, selectors.NoPersonalList):
        resolver = _resolver(query)
        placeholders = encode_placeholders({user_id: row}, cached=_cached(query), resolver=resolver)
        return _resolved(query, decode(placeholders[user_id]))
    stored = decode_or_none(row)
    return _resolver(query).resolve(degraded=NO_BUILD) if stored is None else _resolved(query, stored)


def _resolved(query: PreviewQuery, stored: StoredList) -> ResolvedList:
    if stored.total == 0:
        return _resolver(query).resolve(FallbackPolicy.from_stored(stored.reading), stored.provenance.degraded)
    return _cached(query).resolve(stored)


def _cached(query: PreviewQuery) -> CachedLists:
    """Return an empty cache: Redis is not asked."""
    return CachedLists(query.tenant_id, query.now)


def _resolver(query: PreviewQuery) -> FallbackResolver:
    return FallbackResolver(_cached(query), query.place.name)


def page_entries(query: PreviewQuery, resolved: ResolvedList, limit: int) -> list[dict[str, Any]]:
    options = Options(limit=limit)
    matcher = render.matcher_of(tenant_id=query.tenant_id, options=options, now=query.now)
    moment = query.now.timestamp()
    user_id = query.person.user_id
    language = templates.language(query.person.locale or lists.tenant_locale(query.tenant_id))
    selected = selection.select(
        resolved=resolved, user_id=user_id, options=options, matcher=matcher, language=language, moment=moment
    )
    return selected.page
