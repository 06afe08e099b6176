"""Lifecycle of versions: create a draft, publish it, roll back by publishing an earlier version.

After publishing, a build recreates the lists with the serving artefact, without training.
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
from recommendations.placements.rule_validation import read_rules, refuse_costly
from recommendations.placements.rules import PLAIN, PlacementRules
from recommendations.placements.task_names import APPLY_RULES

_log = structlog.get_logger(__name__)

MAX_NOTE = 200


class VersionPublished(Conflict):
    """Published versions cannot change: lists and comparisons refer to them."""

    code = "version_published"
    title = "A published version cannot be changed"


def placement_names(*, tenant_id: int) -> list[str]:
    """Names of all the tenant's placements; `home` exists even without a row."""
    with scope.tenant(tenant_id):
        rows = Placement.objects.filter(tenant_id=tenant_id).order_by("name")
        return list(dict.fromkeys([HOME, *rows.values_list("name", flat=True)]))


def create_draft(*, tenant_id: int, placement: str, rules: Any, note: str = "", now: datetime) -> PlacementVersion:
    """Creates an unpublished version under the next number.

    Raises: NotFound, InvalidInput with all errors of the rules.
    """
    check_rules(rules)
    with scope.tenant(tenant_id):
        place = _lock_placement(tenant_id, placement)
        return PlacementVersion.objects.create(
            tenant_id=tenant_id,
            placement=place,
            number=next_number(place),
            rules=rules,
            note=quoted(note, MAX_NOTE),
            created_at=now,
        )


def change_draft(*, tenant_id: int, placement: str, number: int, rules: Any) -> PlacementVersion:
    """Replaces a draft's rules.

    Raises: NotFound, InvalidInput, VersionPublished.
    """
    check_rules(rules)
    with scope.tenant(tenant_id):
        version = _version(_lock_placement(tenant_id, placement), number)
        if version.published_at is not None:
            raise VersionPublished(f"Version {number} is published; create a new draft.")
        version.rules = rules
        version.save(update_fields=["rules"])
        return version


def publish_version(*, tenant_id: int, placement: str, number: int, now: datetime) -> PlacementVersion:
    """Makes the version active, also an earlier one, and enqueues a build that recreates the lists.

    Raises: NotFound, InvalidInput if its rules are no longer valid.
    """
    with scope.tenant(tenant_id):
        place = _lock_placement(tenant_id, placement)
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


def roll_back_version(*, tenant_id: int, placement: str, now: datetime) -> PlacementVersion | None:
    """Publishes the version before the active one; returns None if that was the first, and clears the rules.

    Raises: NotFound if no version is published.
    """
    with scope.tenant(tenant_id):
        place = _lock_placement(tenant_id, placement)
        active = place.active_version
        if active is None:
            raise NotFound("No version is published, so there is nothing to roll back.")
        earlier = PlacementVersion.objects.filter(tenant_id=tenant_id, placement=place, published_at__isnull=False)
        previous = earlier.filter(number__lt=active.number).order_by("-number").first()
        if previous is None:
            place.active_version = None
            place.save(update_fields=["active_version"])
            enqueue(APPLY_RULES, tenant_id=tenant_id)
            _log.info("version_withdrawn", placement=placement, number=active.number)
            return None
    return publish_version(tenant_id=tenant_id, placement=placement, number=previous.number, now=now)


def rules_of_versions(*, tenant_id: int, versions: Mapping[str, int | None]) -> dict[int, PlacementRules]:
    """Rules by placement, for the versions noted by a build. Call it in the tenant's scope."""
    pks = [pk for pk in versions.values() if pk is not None]
    stored = dict(PlacementVersion.objects.filter(tenant_id=tenant_id, pk__in=pks).values_list("pk", "rules"))
    return {int(placement): stored_rules(stored[pk]) if pk in stored else PLAIN for placement, pk in versions.items()}


def check_rules(rules: Any) -> PlacementRules:
    """Parses the rules of a draft.

    Raises: InvalidInput.
    """
    return _read(rules, new=True)


def _read(rules: Any, *, new: bool) -> PlacementRules:
    try:
        parsed = read_rules(rules, "/rules")
        if new:
            refuse_costly(parsed, "/rules")
        return parsed
    except FieldRefused as refused:
        raise InvalidInput(str(refused), errors=refused.errors) from None


def stored_rules(rules: Any) -> PlacementRules:
    """Parses stored rules. A prompt that this release no longer has is replaced by the default one.

    Raises: InvalidInput.
    """
    prompt = rules.get("prompt", "") if isinstance(rules, Mapping) else ""
    if prompt and prompt not in prompts.VERSIONS:
        _log.warning("prompt_unknown", prompt=prompt)
        return _read({**rules, "prompt": ""}, new=False)
    return _read(rules, new=False)


def next_number(place: Placement) -> int:
    """The next version number; the caller has locked the placement's row."""
    highest = PlacementVersion.objects.filter(tenant_id=place.tenant_id, placement=place).aggregate(top=Max("number"))
    return int(highest["top"] or 0) + 1


def _lock_placement(tenant_id: int, name: str) -> Placement:
    rows = Placement.objects.select_for_update(no_key=True, of=("self",)).filter(tenant_id=tenant_id, name=name)
    place = rows.order_by().first()
    if place is None:
        raise NotFound(f"Unknown placement {name!r}.")
    return place


def _version(place: Placement, number: int) -> PlacementVersion:
    version = PlacementVersion.objects.filter(tenant_id=place.tenant_id, placement=place, number=number).first()
    if version is None:
        raise NotFound(f"The placement {place.name!r} has no version {number}.")
    return version
