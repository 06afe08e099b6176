"""The life of a version: a draft is written, changed, published; publishing an older one again is the way back.

What publishing does to lists is a build's work: it makes them anew with the artefact that serves, without training.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db.models import Max

from accounts.tenancy import scope
from core.errors import Conflict, InvalidInput, NotFound
from core.queue import enqueue
from core.quoting import quoted
from recommendations.ai.reranking import prompts
from recommendations.catalog.validators import FieldRefused
from recommendations.placements.models import HOME, Placement, PlacementVersion
from recommendations.placements.rules import PLAIN, Rules, read_rules, refuse_costly
from recommendations.placements.task_names import APPLY_RULES

_log = structlog.get_logger(__name__)

# Of a version, in its table.
MAX_NOTE = 200


class VersionPublished(Conflict):
    """What was published once stays as it is: lists and comparisons refer to it."""

    code = "version_published"
    title = "A published version cannot be changed"


def create_placement(*, tenant_id: int, name: str) -> Placement:
    """The placement of that name, made where there is none."""
    with scope.tenant(tenant_id):
        placement, _ = Placement.objects.get_or_create(tenant_id=tenant_id, name=name)
    return placement


def names(*, tenant_id: int) -> list[str]:
    """Of all the tenant's placements; `home` is there before its row."""
    with scope.tenant(tenant_id):
        rows = Placement.objects.filter(tenant_id=tenant_id).order_by("name")
        return list(dict.fromkeys([HOME, *rows.values_list("name", flat=True)]))


def draft(*, tenant_id: int, placement: str, rules: Any, note: str = "", now: datetime) -> PlacementVersion:
    """A new version under the next number, not published.

    Raises: NotFound, InvalidInput with all that is wrong in the rules.
    """
    checked(rules)
    with scope.tenant(tenant_id):
        place = _locked(tenant_id, placement)
        return PlacementVersion.objects.create(
            tenant_id=tenant_id,
            placement=place,
            number=next_number(place),
            rules=rules,
            note=quoted(note, MAX_NOTE),
            created_at=now,
        )


def change(*, tenant_id: int, placement: str, number: int, rules: Any) -> PlacementVersion:
    """Replaces a draft's rules.

    Raises: NotFound, InvalidInput, VersionPublished.
    """
    checked(rules)
    with scope.tenant(tenant_id):
        version = _version(_locked(tenant_id, placement), number)
        if version.published_at is not None:
            raise VersionPublished(f"Version {number} was published; write a new draft.")
        version.rules = rules
        version.save(update_fields=["rules"])
        return version


def publish(*, tenant_id: int, placement: str, number: int, now: datetime) -> PlacementVersion:
    """Makes the version the one that lists follow, and asks for them to be made anew. Also for an older one.

    Raises: NotFound, InvalidInput where its rules are not valid any more.
    """
    with scope.tenant(tenant_id):
        place = _locked(tenant_id, placement)
        version = _version(place, number)
        _read(version.rules, new=version.published_at is None)
        if version.published_at is None:
            version.published_at = now
            version.save(update_fields=["published_at"])
        place.active_version = version
        place.save(update_fields=["active_version"])
        enqueue(APPLY_RULES, tenant_id=tenant_id)
    _log.info("version_published", placement=placement, number=number)
    return version


def roll_back(*, tenant_id: int, placement: str, now: datetime) -> PlacementVersion | None:
    """Publishes the version that was published before the active one; before the first there is none, and no rules.

    Raises: NotFound where no version is published.
    """
    with scope.tenant(tenant_id):
        place = _locked(tenant_id, placement)
        active = place.active_version
        if active is None:
            raise NotFound("No version is published: there is nothing to go back from.")
        earlier = PlacementVersion.objects.filter(tenant_id=tenant_id, placement=place, published_at__isnull=False)
        found = earlier.filter(number__lt=active.number).order_by("-number").first()
        if found is None:
            place.active_version = None
            place.save(update_fields=["active_version"])
            enqueue(APPLY_RULES, tenant_id=tenant_id)
            _log.info("version_withdrawn", placement=placement, number=active.number)
            return None
    return publish(tenant_id=tenant_id, placement=placement, number=found.number, now=now)


def rules_of_versions(*, tenant_id: int, versions: Mapping[str, int | None]) -> dict[int, Rules]:
    """Rules by placement, as a build has noted its versions. Call it in the tenant's scope."""
    wanted = [number for number in versions.values() if number is not None]
    found = dict(PlacementVersion.objects.filter(tenant_id=tenant_id, pk__in=wanted).values_list("pk", "rules"))
    return {int(placement): kept(found[number]) if number in found else PLAIN for placement, number in versions.items()}


def checked(rules: Any) -> Rules:
    """The rules of a draft, read.

    Raises: InvalidInput.
    """
    return _read(rules, new=True)


def _read(rules: Any, *, new: bool) -> Rules:
    try:
        found = read_rules(rules, "/rules")
        if new:
            refuse_costly(found, "/rules")
        return found
    except FieldRefused as refused:
        raise InvalidInput(str(refused), errors=refused.errors) from None


def kept(rules: Any) -> Rules:
    """Rules as they were stored. A prompt that this release has no more does not stop the lists: the usual one asks.

    Raises: InvalidInput.
    """
    named = rules.get("prompt", "") if isinstance(rules, Mapping) else ""
    if named and named not in prompts.VERSIONS:
        _log.warning("prompt_unknown", prompt=named)
        return _read({**rules, "prompt": ""}, new=False)
    return _read(rules, new=False)


def next_number(place: Placement) -> int:
    """The number after the highest; the placement's row is locked by the caller."""
    highest = PlacementVersion.objects.filter(tenant_id=place.tenant_id, placement=place).aggregate(top=Max("number"))
    return int(highest["top"] or 0) + 1


def _locked(tenant_id: int, name: str) -> Placement:
    rows = Placement.objects.select_for_update(no_key=True, of=("self",)).filter(tenant_id=tenant_id, name=name)
    place = rows.order_by().first()
    if place is None:
        raise NotFound(f"There is no placement {name!r}.")
    return place


def _version(place: Placement, number: int) -> PlacementVersion:
    found = PlacementVersion.objects.filter(tenant_id=place.tenant_id, placement=place, number=number).first()
    if found is None:
        raise NotFound(f"The placement {place.name!r} has no version {number}.")
    return found
