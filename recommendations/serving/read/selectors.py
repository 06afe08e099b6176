"""Reads from PostgreSQL what Redis does not hold. Each function is one scope and one or two statements."""

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F

from accounts.tenancy import scope
from recommendations import filter_language
from recommendations.cache.list_codec import MAX_ITEMS, Entry, Provenance, StoredList, Voice, decode, encode
from recommendations.catalog import availability
from recommendations.degradation import NO_BUILD, NO_ITEMS, UNKNOWN_USER
from recommendations.explanations.templates import explain, language
from recommendations.filter_language import Node
from recommendations.list_kinds import LATEST, PINNED, SEGMENT
from recommendations.models import EndUser, Item, Placement, PlacementVersion, ReferenceList, UserList
from recommendations.placements.fallback_policy import FallbackPolicy, segment_subjects
from recommendations.placements.models import HOME
from recommendations.placements.placement_cache import UnknownPlacement
from recommendations.placements.rules import SEGMENTS


@dataclass(frozen=True, slots=True)
class NoPersonalList:
    """The reason why a user has no list: the value of `degraded`, and the policy that replaces it.

    `locale` is the user's; None for an unknown user.
    """

    reason: str
    build: int
    policy: FallbackPolicy = field(default_factory=FallbackPolicy)
    locale: str | None = None

    @property
    def is_known(self) -> bool:
        """Tell if the tenant knows the user."""
        return self.locale is not None


def user_lists(*, tenant_id: int, placement: str, user_ids: Collection[str]) -> dict[str, bytes | NoPersonalList]:
    """Return each user's stored list of the active snapshot, or why there is none. At most three statements.

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
        lists: dict[str, bytes | NoPersonalList] = {
            user_id: bytes(body) for user_id, body in rows.values_list("end_user__user_id", "body")
        }
        missing = [user_id for user_id in user_ids if user_id not in lists]
        return lists | _missing_lists(tenant_id, placement, missing) if missing else lists


def _missing_lists(tenant_id: int, placement: str, user_ids: Collection[str]) -> dict[str, bytes | NoPersonalList]:
    """Apply the rules that the placement's lists follow now: a version published since waits for its build."""
    build, rules = _serving_rules(tenant_id, placement)
    users = EndUser.objects.filter(tenant_id=tenant_id, user_id__in=user_ids).order_by()
    segment_by = rules.get("segment_by", SEGMENTS)
    segments: dict[str, tuple[str, ...]] = {}
    locales: dict[str, str] = {}
    for user_id, locale, own, attributes in users.values_list("user_id", "locale", "segments", "attributes"):
        segments[user_id] = segment_subjects(segment_by, segments=own, attributes=attributes)
        locales[user_id] = locale
    # Only segments that have a list, so that no reader looks for the others again.
    subjects = {subject for own in segments.values() for subject in own} if build else set()
    lists = ReferenceList.objects.filter(
        tenant_id=tenant_id, build_id=build or 0, kind=SEGMENT.key, subject__in=subjects
    ).order_by()
    listed = set(lists.values_list("subject", flat=True)) if subjects else set()
    missing: dict[str, bytes | NoPersonalList] = {}
    for user_id in user_ids:
        reason = NO_BUILD if user_id in segments or not build else UNKNOWN_USER
        first = [subject for subject in segments.get(user_id, ()) if subject in listed][:1]
        policy = FallbackPolicy.from_rules(rules, first)
        missing[user_id] = NoPersonalList(reason, build or 0, policy, locales.get(user_id))
    return missing


def _serving_rules(tenant_id: int, placement: str) -> tuple[int | None, dict[str, Any]]:
    """Return the placement's active build, and the stored rules that its lists follow.

    Raises: UnknownPlacement.
    """
    rows = Placement.objects.filter(tenant_id=tenant_id, name=placement)
    row = rows.values_list("pk", "active_build", "active_build__versions", "active_version").first()
    if row is None and placement != HOME:
        raise UnknownPlacement(placement)
    pk, build, versions, published = row or (None, None, None, None)
    version: int = (versions.get(str(pk)) if versions is not None else published) or 0
    stored = PlacementVersion.objects.filter(tenant_id=tenant_id, pk=version).values_list("rules", flat=True)
    return build, (stored.first() if version else None) or {}


def reference_list(*, tenant_id: int, kind: str, subject: str = "", placement: str = "home") -> bytes | None:
    """Return a list of the active snapshot that belongs to no user."""
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
    """Return several such lists, by kind and subject."""
    with scope.tenant(tenant_id):
        build = _active_build(tenant_id, placement) or 0
        rows = ReferenceList.objects.filter(
            tenant_id=tenant_id, build_id=build, kind__in=kinds, subject__in=subjects
        ).order_by()
        return {(kind, subject): bytes(body) for kind, subject, body in rows.values_list("kind", "subject", "body")}


def static_list(
    *, tenant_id: int, now: datetime, locale: str, pinned_at: str = "", degraded: str | None = None
) -> tuple[StoredList, bytes]:
    """Return the items pinned at a placement, if one is named, then the newest, with reasons for `locale`.

    It is empty only for an empty catalogue; `degraded` is "no_items" then.
    """
    featured, new = (explain(part=kind.key, locale=locale) for kind in (PINNED, LATEST))
    with scope.tenant(tenant_id):
        rows = Placement.objects.filter(tenant_id=tenant_id, name=pinned_at).values_list("pinned", flat=True)
        named: list[str] = (rows.first() if pinned_at else None) or []
        items = Item.objects.filter(availability.available(now), tenant_id=tenant_id)
        available = set(items.filter(item_id__in=named).values_list("item_id", flat=True))
        entries = [Entry(item_id, 1.0, featured, part=PINNED.key) for item_id in named if item_id in available]
        newest = items.exclude(item_id__in=available).order_by("-created_at", "item_id")
        entries += [
            Entry(item_id, 0.0, new, part=LATEST.key)
            for item_id in newest.values_list("item_id", flat=True)[: MAX_ITEMS - len(entries)]
        ]
    # A list of other items or in another language has another id and validator, even within the same minute.
    version = zlib.crc32("\n".join([locale, *(entry.item_id for entry in entries)]).encode())
    provenance = Provenance(
        build=0,
        version=version,
        source="static",
        generated_at=now.strftime("%Y-%m-%dT%H:%M:00Z"),
        degraded=degraded if entries else NO_ITEMS,
    )
    body = encode(provenance=provenance, owner="", entries=entries, voice=Voice(language(locale)))
    return decode(body), body


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
    """Return the available items among these that are in the category (any for "") and meet the condition.

    For None, return at most `limit` of the newest items that do; only the newest `among` are searched.
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


def users(*, tenant_id: int, user_ids: Collection[str]) -> dict[str, filter_language.Person]:
    """Return each user as conditions see them; unknown users have no attributes. One statement."""
    with scope.tenant(tenant_id):
        rows = EndUser.objects.filter(tenant_id=tenant_id, user_id__in=user_ids).order_by()
        known = {row[0]: row for row in rows.values_list("user_id", "locale", "segments", "attributes")}
    return {user_id: filter_language.Person(*known.get(user_id, (user_id,))) for user_id in user_ids}


def item_exists(*, tenant_id: int, item_id: str) -> bool:
    """Tell if the catalogue holds the item, hidden or not."""
    with scope.tenant(tenant_id):
        return Item.objects.filter(tenant_id=tenant_id, item_id=item_id, deleted_at__isnull=True).exists()


def _active_build(tenant_id: int, placement: str) -> int | None:
    rows = Placement.objects.filter(tenant_id=tenant_id, name=placement)
    return rows.values_list("active_build_id", flat=True).first()
