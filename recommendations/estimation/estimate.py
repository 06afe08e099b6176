"""Clicks that a version of a placement's rules would bring, estimated from what was shown before it is published.

Nothing is written and nobody is asked but PostgreSQL and the storage. What the log cannot say is said plainly: without
enough overlap there is no figure (docs/estimating.md, docs/adr/0055).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from accounts.models import Tenant
from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.algorithms.offpolicy import estimators
from recommendations.algorithms.offpolicy.estimators import Estimates, Overlap
from recommendations.algorithms.offpolicy.log import LoggedPage, build_log
from recommendations.algorithms.offpolicy.propensities import importance_weights
from recommendations.estimation import logged_pages, page_probabilities, target_lists
from recommendations.estimation import overlap as verdict
from recommendations.estimation.logged_pages import LoggedImpression
from recommendations.estimation.overlap import Verdict
from recommendations.estimation.page_probabilities import Target
from recommendations.estimation.target_lists import Context
from recommendations.experiments.models import ExperimentArm
from recommendations.placements.models import Placement, PlacementVersion
from recommendations.placements.versions import stored_rules

DAYS = 28
PAGES = 10_000
SECONDS = 300.0
# Younger pages have not been clicked as much as they will be.
RIPE = timedelta(hours=1)
NO_ARTEFACT, NOT_MADE, NOT_TOLD = "artefact gone", "no time left", "chances unknown"


@dataclass(frozen=True, slots=True)
class Arm:
    """Pages of one arm, with the probability of being in it; `used` where they show enough of the version.

    Each of these `stands_for` so many: people were drawn into the arms that one comparison has, so those of the arms
    that are used stand for those of the others.
    """

    arm: str
    share: float
    pages: int
    effective: float
    unsupported: float
    used: bool
    stands_for: float = 1.0


@dataclass(frozen=True, slots=True)
class Estimation:
    """An answer about a version. `estimates` is None where `verdict` says that there is not enough overlap.

    `left_out` counts pages by why they say nothing.
    """

    placement: str
    version: int
    state: str
    since: datetime
    until: datetime
    verdict: Verdict
    overlap: Overlap
    estimates: Estimates | None
    arms: tuple[Arm, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _ReadPage:
    """A page with what it says of the version; `share` is the probability of its arm."""

    arm: str
    share: float
    drawn: bool
    page: LoggedPage


def estimate(
    *,
    tenant_id: int,
    placement: str,
    number: int | None,
    now: datetime,
    days: int = DAYS,
    pages: int = PAGES,
    seconds: float = SECONDS,
) -> Estimation:
    """Of version `number`, of the newest draft for None, from at most so many pages of the newest `days`.

    It takes about `seconds` at the most; what was not looked at by then is left out.
    Raises: NotFound for what there is not; InvalidInput for rules that are not valid (any more).
    """
    since, until = now - timedelta(days=days), now - RIPE
    with scope.tenant(tenant_id):
        place, version = _named(tenant_id, placement, number)
        maker = target_lists.target_list_maker(place, stored_rules(version.rules))
        found = logged_pages.read(tenant_id=tenant_id, placement=placement, since=since, until=until, most=pages)
        explicit = Tenant.objects.get(pk=tenant_id).impressions == Tenant.Impressions.EXPLICIT
    targets = maker.make(found, seconds=seconds)
    read, left_out = _read(found, targets, maker.unreadable_artefacts())
    arms = _arms(read)
    standing = {(arm.arm, arm.share): arm.stands_for for arm in arms if arm.used}
    used = [
        replace(each.page, page_weight=standing[each.arm, each.share])
        for each in read
        if (each.arm, each.share) in standing
    ]
    log = build_log(used or [each.page for each in read])
    overlap = estimators.measure_overlap(log)
    judged = verdict.judge(
        overlap, version=version.number, drawn=any(each.drawn for each in read), arms=len(arms), explicit=explicit
    )
    return Estimation(
        placement=placement,
        version=version.number,
        state=_state(place, version),
        since=min((each.at for each in found), default=since),
        until=until,
        verdict=judged,
        overlap=overlap,
        estimates=estimators.estimate(log) if judged.enough else None,
        arms=arms,
        left_out=left_out,
        notes=verdict.notes(maker.rules, place),
    )


def _named(tenant_id: int, placement: str, number: int | None) -> tuple[Placement, PlacementVersion]:
    rows = Placement.objects.select_related("active_build").filter(tenant_id=tenant_id, name=placement)
    place = rows.order_by().first()
    if place is None:
        names = ", ".join(Placement.objects.filter(tenant_id=tenant_id).order_by("name").values_list("name", flat=True))
        raise NotFound(f"Unknown placement {placement!r}. Existing placements: {names or 'none yet'}.")
    versions = PlacementVersion.objects.filter(tenant_id=tenant_id, placement=place)
    wanted = versions.filter(published_at__isnull=True) if number is None else versions.filter(number=number)
    found = wanted.order_by("-number").first()
    if found is None:
        what = "draft" if number is None else f"version {number}"
        numbers = ", ".join(str(each) for each in versions.order_by("number").values_list("number", flat=True))
        raise NotFound(f"The placement {placement!r} has no {what}. Its versions are: {numbers or 'none yet'}.")
    return place, found


def _state(place: Placement, version: PlacementVersion) -> str:
    if place.active_build is not None and place.active_build.versions.get(str(place.pk)) == version.pk:
        return "serving"
    return "draft" if version.published_at is None else "published"


def _read(
    found: Iterable[LoggedImpression], made: Mapping[Context, Target], gone: Collection[int | None]
) -> tuple[list[_ReadPage], dict[str, int]]:
    """Return the pages that say something, and how many do not, by why."""
    read: list[_ReadPage] = []
    left_out: Counter[str] = Counter()
    for each in found:
        context = target_lists.context_of(each)
        target = made.get(context) if context is not None else None
        if target is None:
            left_out[NO_ARTEFACT if each.page.artefact in gone else NOT_MADE] += 1
            continue
        both = page_probabilities.pair(each.page, target, each.at)
        if both is None:
            left_out[NOT_TOLD] += 1
            continue
        said = importance_weights(logged=both.logged, target=both.target, shown=both.shown)
        clicked = np.array([item_id in each.clicked for item_id in each.page.item_ids], dtype=bool)
        page = LoggedPage(each.person, both.shown, clicked, said.weights, said.unsupported, both.base, both.target)
        drawn = each.page.rotation is not None or each.page.chance.exploration is not None
        read.append(_ReadPage(each.arm, each.page.chance.share, drawn, page))
    return read, dict(left_out)


def _arms(read: Sequence[_ReadPage]) -> tuple[Arm, ...]:
    """The arms, the largest first. Within each, lists were drawn as its own law says."""
    pages: dict[tuple[str, float], list[LoggedPage]] = defaultdict(list)
    for each in read:
        pages[each.arm, each.share].append(each.page)
    found = []
    for (arm, share), own in pages.items():
        said = estimators.measure_overlap(build_log(own))
        used = said.unsupported <= verdict.MOST_UNSUPPORTED
        found.append(Arm(arm, share, len(own), said.effective, said.unsupported, used))
    in_all: dict[str, float] = defaultdict(float)
    in_used: dict[str, float] = defaultdict(float)
    for one in found:
        in_all[_comparison(one.arm)] += one.share
        in_used[_comparison(one.arm)] += one.share if one.used else 0.0
    standing = {name: in_all[name] / share for name, share in in_used.items() if share}
    found = [replace(one, stands_for=standing.get(_comparison(one.arm), 1.0)) for one in found]
    return tuple(sorted(found, key=lambda one: -one.pages))


def _comparison(arm: str) -> str:
    """Name the comparison that the arm belongs to: an experiment, AI's, or none."""
    if ExperimentArm.labelled(arm):
        return arm[:-1]
    return "ai" if arm else ""
