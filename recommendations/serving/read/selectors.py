"""What serving asks of Postgres when Redis does not know. Each function is one scope and one or two statements."""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F

from accounts.tenancy import scope
from recommendations import filter_language
from recommendations.cache.list_codec import MAX_ITEMS, Corrupt, Entry, Provenance, StoredList, Voice, decode, encode
from recommendations.catalog import availability
from recommendations.explanations.templates import explain
from recommendations.explanations.templates import language as spoken_for
from recommendations.filter_language import Node
from recommendations.list_kinds import LATEST, PINNED, SEGMENT
from recommendations.models import EndUser, Item, Placement, PlacementVersion, ReferenceList, UserList
from recommendations.placements import fallback_rules
from recommendations.placements.models import HOME
from recommendations.placements.placement_cache import UnknownPlacement
from recommendations.placements.rules import SEGMENTS


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no personal list: the value of `degraded`; and what stands in for it (placements.standing_in).

    `locale` is the person's; None for somebody unknown.
    """

    reason: str
    build: int
    instead: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None

    @property
    def known(self) -> bool:
        """Whether the person is."""
        return self.locale is not None


def user_lists(*, tenant_id: int, placement: str, user_ids: Collection[str]) -> dict[str, bytes | Missing]:
    """Each person's stored list of the active snapshot, or why there is none. At most three statements.

    Raises: UnknownPlacement.
    """
    with scope.tenant(tenant_id):
        rows = UserList.objects.filter(
            tenant_id=tenant_id,
            placement__tenant_id=tenant_id,
            placement__name=placement,
            build=F("placement__active_build"),
            end_user__user_id__in=user_ids,
        ).order_by()
        found: dict[str, bytes | Missing] = {
            user_id: bytes(body) for user_id, body in rows.values_list("end_user__user_id", "body")
        }
        left = [user_id for user_id in user_ids if user_id not in found]
        if not left:
            return found
        return found | _missing(tenant_id, placement, left)


def _missing(tenant_id: int, placement: str, user_ids: Collection[str]) -> dict[str, bytes | Missing]:
    """By the rules that the placement's lists follow now: a version published since is a build away."""
    rows = Placement.objects.filter(tenant_id=tenant_id, name=placement)
    place = rows.values_list("pk", "active_build", "active_build__versions", "active_version").first()
    if place is None and placement != HOME:
        raise UnknownPlacement(placement)
    pk, active, versions, published = place or (None, None, None, None)
    version: int = (versions.get(str(pk)) if versions is not None else published) or 0
    named = PlacementVersion.objects.filter(tenant_id=tenant_id, pk=version).values_list("rules", flat=True)
    rules: dict[str, Any] = (named.first() if version else None) or {}
    people = EndUser.objects.filter(tenant_id=tenant_id, user_id__in=user_ids).order_by()
    by = rules.get("segment_by", SEGMENTS)
    own: dict[str, tuple[str, ...]] = {}
    locales: dict[str, str] = {}
    for user_id, locale, segments, attributes in people.values_list("user_id", "locale", "segments", "attributes"):
        own[user_id] = fallback_rules.subjects(by, segments=segments, attributes=attributes)
        locales[user_id] = locale
    # Only those that have a list, so that nobody looks for the others again.
    subjects = {subject for each in own.values() for subject in each} if active else set()
    lists = ReferenceList.objects.filter(
        tenant_id=tenant_id, build_id=active or 0, kind=SEGMENT.key, subject__in=subjects
    ).order_by()
    there = set(lists.values_list("subject", flat=True)) if subjects else set()
    found: dict[str, bytes | Missing] = {}
    for user_id in user_ids:
        reason = "no_build" if user_id in own or not active else "unknown_user"
        listed = [subject for subject in own.get(user_id, ()) if subject in there][:1]
        found[user_id] = Missing(reason, active or 0, fallback_rules.instead(rules, listed), locales.get(user_id))
    return found


def reference_list(*, tenant_id: int, kind: str, subject: str = "", placement: str = "home") -> bytes | None:
    """A list of the active snapshot that belongs to no person."""
    with scope.tenant(tenant_id):
        build = _active_build(tenant_id, placement)
        if build is None:
            return None
        rows = ReferenceList.objects.filter(tenant_id=tenant_id, build_id=build, kind=kind, subject=subject)
        row = rows.values_list("body", flat=True).first()
    return bytes(row) if row is not None else None


def reference_lists(
    *, tenant_id: int, kinds: Collection[str], subjects: Collection[str], placement: str = "home"
) -> dict[tuple[str, str], bytes]:
    """Several of them, by kind and subject."""
    with scope.tenant(tenant_id):
        build = _active_build(tenant_id, placement) or 0
        rows = ReferenceList.objects.filter(
            tenant_id=tenant_id, build_id=build, kind__in=kinds, subject__in=subjects
        ).order_by()
        return {(kind, subject): bytes(body) for kind, subject, body in rows.values_list("kind", "subject", "body")}


def latest(*, tenant_id: int, now: datetime, locale: str) -> tuple[StoredList, bytes]:
    """The newest items that may be shown, with reasons for `locale`; empty only for an empty catalogue."""
    with scope.tenant(tenant_id):
        items = Item.objects.filter(availability.available(now), tenant_id=tenant_id).order_by("-created_at", "item_id")
        ids = list(items.values_list("item_id", flat=True)[:MAX_ITEMS])
    said = explain(part=LATEST.key, locale=locale)
    entries = [Entry(item_id, 0.0, said, part=LATEST.key) for item_id in ids]
    degraded = None if entries else "no_items"
    made = now.strftime("%Y-%m-%dT%H:%M:00Z")
    provenance = Provenance(
        build=0, version=_version_of([locale, *ids]), source="static", generated_at=made, degraded=degraded
    )
    raw = encode(provenance=provenance, owner="", entries=entries, voice=Voice(spoken_for(locale)))
    return decode(raw), raw


def _version_of(what: Sequence[str]) -> int:
    """What stands for items and language: another list has another id and validator, also within the minute."""
    return zlib.crc32("\n".join(what).encode())


def last_resort(
    *, tenant_id: int, placement: str, pinned: bool, now: datetime, reason: str, locale: str
) -> tuple[StoredList, bytes]:
    """The placement's pinned items, where they are wanted, then the latest. Empty only for an empty catalogue."""
    featured, new = (explain(part=kind.key, locale=locale) for kind in (PINNED, LATEST))
    with scope.tenant(tenant_id):
        rows = Placement.objects.filter(tenant_id=tenant_id, name=placement).values_list("pinned", flat=True)
        named: list[str] = (rows.first() if pinned else None) or []
        items = Item.objects.filter(availability.available(now), tenant_id=tenant_id)
        chosen = set(items.filter(item_id__in=named).values_list("item_id", flat=True))
        entries = [Entry(item_id, 1.0, featured, part=PINNED.key) for item_id in named if item_id in chosen]
        latest = items.exclude(item_id__in=chosen).order_by("-created_at", "item_id")
        entries += [
            Entry(item_id, 0.0, new, part=LATEST.key)
            for item_id in latest.values_list("item_id", flat=True)[: MAX_ITEMS - len(entries)]
        ]
    provenance = Provenance(
        build=0,
        version=_version_of([locale, *(entry.item_id for entry in entries)]),
        source="static",
        generated_at=now.strftime("%Y-%m-%dT%H:%M:00Z"),
        degraded=reason if entries else "no_items",
    )
    raw = encode(provenance=provenance, owner="", entries=entries, voice=Voice(spoken_for(locale)))
    return decode(raw), raw


def withdrawn(*, tenant_id: int, now: datetime, among: Collection[str] | None = None) -> Mapping[str, float]:
    """Withdrawals by item id (`availability.withdrawals`) of the items `among`.

    Without `among`, of the items changed since the active snapshot was started: builds leave the others out.
    """
    with scope.tenant(tenant_id):
        since = None
        if among is None:
            since = (
                Placement.objects.filter(tenant_id=tenant_id, active_build__isnull=False)
                .order_by("active_build__started_at")
                .values_list("active_build__started_at", flat=True)
                .first()
            )
        return availability.withdrawals(tenant_id=tenant_id, now=now, since=since, among=among)


def items(*, tenant_id: int, item_ids: Collection[str]) -> dict[str, Item]:
    """The catalogue entries by id; those that do not exist are left out."""
    with scope.tenant(tenant_id):
        found = Item.objects.filter(tenant_id=tenant_id, item_id__in=item_ids, deleted_at__isnull=True)
        return {item.item_id: item for item in found}


def matching(
    *,
    tenant_id: int,
    item_ids: Collection[str] | None,
    category: str,
    node: Node | None,
    now: datetime,
    limit: int,
    among: int,
) -> list[str]:
    """Which of these items are in the category (any for ""), meet the condition, and may be shown now.

    For None: the newest items that do, at most `limit`, newest first; only the newest `among` are looked at.
    """
    with scope.tenant(tenant_id):
        items = Item.objects.filter(availability.available(now), tenant_id=tenant_id)
        if category:
            items = items.filter(categories__contains=[category])
        if node is not None:
            items = items.filter(filter_language.condition(node))
        if item_ids is not None:
            return list(items.filter(item_id__in=item_ids).order_by().values_list("item_id", flat=True))
        if node is not None:
            newest = Item.objects.filter(availability.available(now), tenant_id=tenant_id).order_by(
                "-created_at", "item_id"
            )
            items = items.filter(pk__in=newest.values("pk")[:among])
        return list(items.order_by("-created_at", "item_id").values_list("item_id", flat=True)[:limit])


def people(*, tenant_id: int, user_ids: Collection[str]) -> dict[str, filter_language.Person]:
    """What conditions may ask of each; nothing of somebody unknown. One statement."""
    with scope.tenant(tenant_id):
        rows = EndUser.objects.filter(tenant_id=tenant_id, user_id__in=user_ids).order_by()
        known = {row[0]: row for row in rows.values_list("user_id", "locale", "segments", "attributes")}
    return {user_id: filter_language.Person(*known.get(user_id, (user_id,))) for user_id in user_ids}


def item_exists(*, tenant_id: int, item_id: str) -> bool:
    """Whether the catalogue holds it, hidden or not."""
    with scope.tenant(tenant_id):
        return Item.objects.filter(tenant_id=tenant_id, item_id=item_id, deleted_at__isnull=True).exists()


def decoded(raw: bytes | None) -> StoredList | None:
    """The list, or None for nothing and for bytes of another version."""
    try:
        return decode(raw) if raw is not None else None
    except Corrupt:
        return None


def _active_build(tenant_id: int, placement: str) -> int | None:
    rows = Placement.objects.filter(tenant_id=tenant_id, name=placement)
    return rows.values_list("active_build_id", flat=True).first()
