"""Compares the page that a version of a placement's rules would show one user now with the page that is served.

The list is made by the code of builds and read by the code of the API, at this moment. Nothing is written. Redis and AI
are not asked: a build may let AI reorder the head.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.ai.reranking import prompts
from recommendations.cache.list_codec import HEAD, MAX_ITEMS
from recommendations.models import Placement, PlacementVersion
from recommendations.pipeline.lists import profiles
from recommendations.pipeline.ranking.trace import RuleEffect, Trace
from recommendations.placements.rules import Pin
from recommendations.placements.versions import stored_rules
from recommendations.serving.preview.lists import PreviewQuery, made_list, page_entries, served_list
from recommendations.serving.read import selectors
from recommendations.serving.read.resolved import ResolvedList

CONSUMED = RuleEffect("consumed", "chosen since the list was made")


@dataclass(frozen=True, slots=True)
class PreviewItem:
    """An item in its place. `proposed` is its rank before the rules, `was` its rank in what is served."""

    rank: int
    item_id: str
    title: str
    score: float
    reason: str
    proposed: int | None = None
    was: int | None = None
    rules: tuple[RuleEffect, ...] = ()


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """A page: the one that is served now, or the one that the rules would make."""

    source: str
    degraded: str | None
    arm: str
    artefact: int | None
    items: tuple[PreviewItem, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An item that the algorithms propose, or that is served now, and that a rule keeps out."""

    item_id: str
    title: str
    proposed: int | None
    was: int | None
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Both pages, with notes. `state` is draft, published or serving."""

    placement: str
    version: int
    state: str
    user_id: str
    served: PreviewPage
    would: PreviewPage
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def preview(
    *, tenant_id: int, placement: str, number: int | None, user_id: str, now: datetime, limit: int = HEAD
) -> Preview:
    """Return the first `limit` items by version `number`; by the newest draft for None.

    Raises: NotFound for an unknown placement, version or user; Conflict without a build; InvalidInput for rules that
        are not valid (any more).
    """
    query, trace = _query(tenant_id, placement, number, user_id, now), Trace()
    would, served = made_list(query, trace), served_list(query)
    entries, before = page_entries(query, would, limit), page_entries(query, served, limit)
    ranks = {entry["item_id"]: entry["rank"] for entry in before}
    left_out = _left_out(query, trace, {entry["item_id"] for entry in entries}, ranks)
    item_ids = {*ranks, *left_out, *(entry["item_id"] for entry in entries)}
    titles = {key: item.title for key, item in selectors.items(tenant_id=tenant_id, item_ids=item_ids).items()}
    items = [
        replace(
            _item(entry, titles),
            proposed=trace.candidate_ranks.get(entry["item_id"]),
            was=ranks.get(entry["item_id"]),
            rules=tuple(_effects(query, trace, entry["item_id"])),
        )
        for entry in entries
    ]
    return Preview(
        placement=placement,
        version=query.version.number,
        state=_state(query.place, query.version),
        user_id=user_id,
        served=_side(served, [_item(entry, titles) for entry in before]),
        would=_side(would, items),
        left_out=tuple(
            LeftOut(
                item_id,
                titles.get(item_id, ""),
                trace.candidate_ranks.get(item_id),
                ranks.get(item_id),
                deed.rule,
                deed.detail,
            )
            for item_id, deed in left_out.items()
        ),
        notes=tuple(_notes(query)),
    )


def _query(tenant_id: int, placement: str, number: int | None, user_id: str, now: datetime) -> PreviewQuery:
    with scope.tenant(tenant_id):
        rows = Placement.objects.select_related("active_build__artefact").filter(tenant_id=tenant_id, name=placement)
        place = rows.order_by().first()
        if place is None:
            raise NotFound(f"Unknown placement {placement!r}.")
        version = _version(place, number)
    person = profiles.read_user(tenant_id=tenant_id, user_id=user_id)
    if person is None:
        raise NotFound(f"There is no end user {user_id!r}.")
    return PreviewQuery(place, version, stored_rules(version.rules), person, now)


def _item(entry: Mapping[str, Any], titles: Mapping[str, str]) -> PreviewItem:
    return PreviewItem(
        entry["rank"], entry["item_id"], titles.get(entry["item_id"], ""), entry["score"], entry["reason"]
    )


def _version(place: Placement, number: int | None) -> PlacementVersion:
    versions = PlacementVersion.objects.filter(tenant_id=place.tenant_id, placement=place)
    wanted = versions.filter(published_at__isnull=True) if number is None else versions.filter(number=number)
    found = wanted.order_by("-number").first()
    if found is None:
        what = "draft" if number is None else f"version {number}"
        raise NotFound(f"The placement {place.name!r} has no {what}.")
    return found


def _side(resolved: ResolvedList, items: Sequence[PreviewItem]) -> PreviewPage:
    made = resolved.stored.provenance
    return PreviewPage(made.source, resolved.degraded, made.arm, made.artefact, tuple(items))


def _left_out(
    query: PreviewQuery, trace: Trace, shown: Collection[str], was: Mapping[str, int]
) -> dict[str, RuleEffect]:
    """Of the items that might have been there: those that the algorithms rank high enough, and those served now."""
    chosen = {item_id for item_id, _ in query.person.events}
    found = {
        item_id: deed
        for item_id, deed in trace.excluded.items()
        if item_id in was or trace.candidate_ranks.get(item_id, MAX_ITEMS + 1) <= MAX_ITEMS
    }
    found |= {item_id: CONSUMED for item_id in was if item_id in chosen and item_id not in trace.candidate_ranks}
    ranked = sorted(found, key=lambda item_id: trace.candidate_ranks.get(item_id, MAX_ITEMS + was.get(item_id, 0)))
    return {item_id: found[item_id] for item_id in ranked if item_id not in shown}


def _effects(query: PreviewQuery, trace: Trace, item_id: str) -> Iterator[RuleEffect]:
    yield from trace.effects.get(item_id, ())
    for pin in query.rules.pins:
        if pin.item_id == item_id and _valid(pin, query.now):
            yield RuleEffect("pins", f"at position {pin.position}{_dates(pin)}")


def _notes(query: PreviewQuery) -> Iterator[str]:
    rules = query.rules
    if rules.ai and query.place.ai:
        prompt = prompts.known(rules.prompt)
        yield f"Without AI: a build may let it reorder the first {HEAD} and write reasons (prompt {prompt})."
    else:
        yield "AI is left out."
    if rules.rotate_minutes:
        yield f"The order is shuffled every {rules.rotate_minutes} minutes."
    for pin in rules.pins:
        if not _valid(pin, query.now):
            yield f"{pin.item_id} is not pinned at position {pin.position} now{_dates(pin)}."


def _valid(pin: Pin, now: datetime) -> bool:
    return (pin.valid_from is None or pin.valid_from <= now) and (pin.valid_until is None or now < pin.valid_until)


def _dates(pin: Pin) -> str:
    since = f", from {pin.valid_from:%Y-%m-%d %H:%M}" if pin.valid_from else ""
    return since + (f", until {pin.valid_until:%Y-%m-%d %H:%M}" if pin.valid_until else "")


def _state(place: Placement, version: PlacementVersion) -> str:
    build = place.active_build
    if build is not None and build.versions.get(str(place.pk)) == version.pk:
        return "serving"
    return "draft" if version.published_at is None else "published"
