"""The part of ranking at a placement that is the same for everybody: the rules, and the active artefact, mapped."""

import time
from dataclasses import dataclass, field

import numpy as np
import structlog

from accounts.tenancy import scope
from core import clock
from recommendations.algorithms.data.dataset import IntArray
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.catalog import availability
from recommendations.degradation import ARTEFACT, NO_BUILD
from recommendations.interactions import event_weights
from recommendations.interactions.event_weights import EventWeights
from recommendations.models import Build, Placement
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.ranking import variants
from recommendations.pipeline.ranking.variants import ListRecipe, VariantAssignment
from recommendations.placements.models import HOME
from recommendations.placements.rules import PLAIN, PlacementRules
from recommendations.placements.versions import rules_of_versions

# The items that may not be shown compete with nobody in a second stage; which those are may be known so late.
WITHHELD_SECONDS = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedRanking:
    """`lacking` says why there is nothing to score with: no build, no artefact that can be read (yet), no database.

    `withheld` are the places of items that may not be shown, where a second stage asks for them. `said` is what the
    tenant's types of events mean, as of PROCESS_REFRESH_SECONDS ago: a change of it holds for lists from the next build
    on, so that a ranking may take it up some seconds late. A type that has appeared since is in nobody's copy, and read
    when it is met (pipeline.lists.current_profile): an event counts with the next request.
    """

    rules: PlacementRules = PLAIN
    following: VariantAssignment | None = None
    lacking: str | None = None
    withheld: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    withheld_at: float = float("-inf")
    said: EventWeights | None = None

    @property
    def artefacts(self) -> frozenset[int]:
        """The artefacts that it keeps in memory."""
        if self.following is None:
            return frozenset()
        ways = (self.following.default, *self.following.arms.values())
        return frozenset(way.loaded.artefact_id for way in ways)


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a prepared ranking: a placement (0 for none), its versions, the build that serves there."""

    tenant_id: int
    placement_id: int
    build: Build | None
    versions: dict[str, int | None]
    rules: PlacementRules
    said: EventWeights


def source(*, tenant_id: int, placement: str) -> Source:
    """Return what serves at a placement, at none for "". A placement newer than the last build has home's artefact.

    Raises: one of `resolved.DATABASE_AWAY`.
    """
    said = event_weights.load_event_weights(tenant_id=tenant_id)
    with scope.tenant(tenant_id):
        wanted = {HOME, placement} if placement else {HOME}
        rows = Placement.objects.select_related("active_build__artefact")
        found = {row.name: row for row in rows.filter(tenant_id=tenant_id, name__in=wanted)}
        home, place = found.get(HOME), found.get(placement)
        build = (place.active_build if place else None) or (home.active_build if home else None)
        if place is None:
            return Source(tenant_id, 0, build, {}, PLAIN, said)
        key = str(place.pk)
        version = place.active_build.versions.get(key) if place.active_build else place.active_version_id
        versions = {key: version}
        rules = rules_of_versions(tenant_id=tenant_id, versions=versions).get(place.pk, PLAIN)
    return Source(tenant_id, place.pk, build, versions, rules, said)


def read(serving: Source, before: PreparedRanking | None = None) -> PreparedRanking:
    """All of it, with the artefact. It may take long where this host has no copy of the artefact yet.

    Raises: one of `resolved.DATABASE_AWAY`.
    """
    if serving.build is None or serving.build.artefact is None:
        return PreparedRanking(serving.rules, lacking=NO_BUILD, said=serving.said)
    tenant_id, artefact = serving.tenant_id, serving.build.artefact
    try:
        alone = store.load(artefact_id=artefact.pk, file=artefact.file)
    except (OSError, UnreadableArtefact) as error:
        _log.error("artefact_unreadable", artefact=artefact.pk, error=str(error))
        return PreparedRanking(serving.rules, lacking=ARTEFACT, said=serving.said)
    loaded = live.with_fresh_items(alone, tenant_id=tenant_id, build_id=serving.build.pk)
    follow = VariantAssignment(ListRecipe(serving.rules, loaded, ai=False))
    if serving.placement_id:
        follow = variants.load_assignments(
            tenant_id=tenant_id, placements=[serving.placement_id], versions=serving.versions, loaded=loaded
        )[serving.placement_id]
    withheld, at = _withheld(tenant_id, loaded, before)
    return PreparedRanking(serving.rules, follow, None, withheld, at, serving.said)


def _withheld(tenant_id: int, loaded: Loaded, before: PreparedRanking | None) -> tuple[IntArray, float]:
    """Asked for a minute apart, and where a second stage wants them only: they may be many."""
    if not loaded.recommender.has_second_stage:
        return np.empty(0, dtype=np.int32), float("-inf")
    known = before.following.default.loaded if before is not None and before.following else None
    same = known is not None and known.artefact_id == loaded.artefact_id
    if before is not None and same and time.monotonic() - before.withheld_at < WITHHELD_SECONDS:
        return before.withheld, before.withheld_at
    with scope.tenant(tenant_id):
        item_ids = availability.withdrawn_ids(tenant_id=tenant_id, now=clock.now())
    return loaded.indices(item_ids), time.monotonic()
