"""What a version of a placement's rules would show one person now, beside what is served, and what the rules did.

The list is made by the code of builds and read by the code of the API, at this moment. Nothing is written, Redis is
not asked, and neither is AI: a build may let it reorder the head.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from accounts.tenancy import flags, scope
from core.errors import Conflict, NotFound
from recommendations.ai.reranking import prompts
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.cache.list_codec import HEAD, MAX_ITEMS, Provenance, StoredList, decode, decode_or_none
from recommendations.explanations import templates
from recommendations.models import Build, Placement, PlacementVersion
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import profiles
from recommendations.pipeline.lists.profiles import Person
from recommendations.pipeline.ranking import generate, pins
from recommendations.pipeline.ranking.trace import Deed, Trace
from recommendations.placements.fallback_policy import FallbackPolicy
from recommendations.placements.models import HOME
from recommendations.placements.rules import Pin, Rules
from recommendations.placements.versions import kept
from recommendations.serving.lists.cached import CachedLists
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.lists.placeholders import encode_placeholders
from recommendations.serving.page import render, selection
from recommendations.serving.read import selectors
from recommendations.serving.read.list_query import Options
from recommendations.serving.read.resolved import ResolvedList

CONSUMED = Deed("consumed", "chosen since the list was made")


@dataclass(frozen=True, slots=True)
class Shown:
    """An item in its place. `proposed` is its rank before the rules, `was` its rank in what is served."""

    rank: int
    item_id: str
    title: str
    score: float
    reason: str
    proposed: int | None = None
    was: int | None = None
    rules: tuple[Deed, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """A page: what is served now, or what would be."""

    source: str
    degraded: str | None
    arm: str
    artefact: int | None
    items: tuple[Shown, ...]


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
    """Both sides, and what to know about them. `state` is draft, published or serving."""

    placement: str
    version: int
    state: str
    user_id: str
    served: Side
    would: Side
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is looked at, and when."""

    place: Placement
    version: PlacementVersion
    rules: Rules
    person: Person
    now: datetime

    @property
    def tenant_id(self) -> int:
        """Whose it is."""
        return self.place.tenant_id


def preview(
    *, tenant_id: int, placement: str, number: int | None, user_id: str, now: datetime, limit: int = HEAD
) -> Preview:
    """The first `limit` places by version `number`; by the newest draft for None.

    Raises: NotFound for what there is not; Conflict where there is nothing to make a list with; InvalidInput for rules
        that are not valid (any more).
    """
    with scope.tenant(tenant_id):
        rows = Placement.objects.select_related("active_build__artefact").filter(tenant_id=tenant_id, name=placement)
        place = rows.order_by().first()
        if place is None:
            raise NotFound(f"There is no placement {placement!r}.")
        version = _version(place, number)
    person = profiles.read_named(tenant_id=tenant_id, user_id=user_id)
    if person is None:
        raise NotFound(f"There is no end user {user_id!r}.")
    asked, trace = _Asked(place, version, kept(version.rules), person, now), Trace()
    would, served = _would(asked, trace), _served(asked)
    entries, before = _page(asked, would, limit), _page(asked, served, limit)
    was = {entry["item_id"]: entry["rank"] for entry in before}
    left_out = _left_out(asked, trace, {entry["item_id"] for entry in entries}, was)
    titles = selectors.items(tenant_id=tenant_id, item_ids={*was, *left_out, *(entry["item_id"] for entry in entries)})

    def shown(entry: Mapping[str, Any]) -> Shown:
        item = titles.get(entry["item_id"])
        named = {name: entry[name] for name in ("rank", "item_id", "score", "reason")}
        return Shown(**named, title=item.title if item else "")

    return Preview(
        placement=placement,
        version=version.number,
        state=_state(place, version),
        user_id=user_id,
        served=_side(served, [shown(entry) for entry in before]),
        would=_side(
            would,
            [
                replace(
                    each,
                    proposed=trace.proposed.get(each.item_id),
                    was=was.get(each.item_id),
                    rules=tuple(_deeds(asked, trace, each.item_id)),
                )
                for each in map(shown, entries)
            ],
        ),
        left_out=tuple(
            LeftOut(
                item_id,
                titles[item_id].title if item_id in titles else "",
                trace.proposed.get(item_id),
                was.get(item_id),
                deed.rule,
                deed.detail,
            )
            for item_id, deed in left_out.items()
        ),
        notes=tuple(_notes(asked)),
    )


def _version(place: Placement, number: int | None) -> PlacementVersion:
    versions = PlacementVersion.objects.filter(tenant_id=place.tenant_id, placement=place)
    wanted = versions.filter(published_at__isnull=True) if number is None else versions.filter(number=number)
    found = wanted.order_by("-number").first()
    if found is None:
        what = "draft" if number is None else f"version {number}"
        raise NotFound(f"The placement {place.name!r} has no {what}.")
    return found


def _would(asked: _Asked, trace: Trace) -> ResolvedList:
    """What a build would make with the artefact that serves, as it would be read now."""
    loaded, rules, person = _loaded(asked), asked.rules, asked.person
    locale = lists.tenant_locale(asked.tenant_id)
    placed = generate.place(
        tenant_id=asked.tenant_id,
        loaded=loaded,
        people=[person],
        rules={asked.version.pk: rules},
        texts=True,
        now=asked.now,
        locale=locale,
        trace=trace,
    )
    own = person.locale or locale
    made = placed.drafts[asked.version.pk][0]
    made = replace(made, entries=pins.pinned(made.entries, rules, placed.shown, own))
    body = lists.body(
        owner=person.user_id,
        entries=made.entries,
        facts=placed.facts,
        provenance=Provenance(
            asked.place.active_build_id or 0, 0, made.source, lists.stamp(asked.now), loaded.artefact_id
        ),
        locale=own,
        reading=pins.travelling(made, rules, placed.shown, own),
    )
    return _resolved(asked, decode(body))


def _loaded(asked: _Asked) -> Loaded:
    build = asked.place.active_build or _build_of_home(asked.tenant_id)
    if build is None or build.artefact is None:
        raise Conflict("There is no build yet: nothing that a list could be made with.")
    try:
        alone = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
    except (OSError, UnreadableArtefact) as error:
        raise Conflict(f"Artefact #{build.artefact.pk} cannot be read: {error}") from error
    return live.with_fresh(alone, tenant_id=asked.tenant_id, build_id=build.pk)


def _build_of_home(tenant_id: int) -> Build | None:
    """What lists of a placement that is newer than the last build will be made with."""
    with scope.tenant(tenant_id):
        home = Placement.objects.select_related("active_build__artefact").filter(tenant_id=tenant_id, name=HOME)
        found = home.order_by().first()
    return found.active_build if found else None


def _served(asked: _Asked) -> ResolvedList:
    """What the API answers with, from Postgres."""
    tenant_id, user_id, name = asked.tenant_id, asked.person.user_id, asked.place.name
    if not flags.is_on(flags.RECOMMENDATIONS, tenant_id=tenant_id, user_id=user_id):
        return _resolver(asked).resolve(degraded="flag")
    row = selectors.user_lists(tenant_id=tenant_id, placement=name, user_ids=[user_id])[user_id]
    if isinstance(row, selectors.NoPersonalList):
        resolver = _resolver(asked)
        placeholders = encode_placeholders({user_id: row}, cached=_cached(asked), resolver=resolver)
        return _resolved(asked, decode(placeholders[user_id]))
    stored = decode_or_none(row)
    return _resolver(asked).resolve(degraded="no_build") if stored is None else _resolved(asked, stored)


def _resolved(asked: _Asked, stored: StoredList) -> ResolvedList:
    if stored.total == 0:
        return _resolver(asked).resolve(FallbackPolicy.from_stored(stored.reading), stored.provenance.degraded)
    return _cached(asked).resolve(stored)


def _cached(asked: _Asked) -> CachedLists:
    """Return an empty cache: Redis is not asked."""
    return CachedLists(asked.tenant_id, asked.now)


def _resolver(asked: _Asked) -> FallbackResolver:
    return FallbackResolver(_cached(asked), asked.place.name)


def _page(asked: _Asked, resolved: ResolvedList, limit: int) -> list[dict[str, Any]]:
    options = Options(limit=limit)
    matcher = render.matcher_of(tenant_id=asked.tenant_id, options=options, now=asked.now)
    moment = asked.now.timestamp()
    user_id = asked.person.user_id
    language = templates.language(asked.person.locale or lists.tenant_locale(asked.tenant_id))
    selected = selection.select(
        resolved=resolved, user_id=user_id, options=options, matcher=matcher, language=language, moment=moment
    )
    return selected.page


def _side(resolved: ResolvedList, items: Sequence[Shown]) -> Side:
    made = resolved.stored.provenance
    return Side(made.source, resolved.degraded, made.arm, made.artefact, tuple(items))


def _left_out(asked: _Asked, trace: Trace, shown: Collection[str], was: Mapping[str, int]) -> dict[str, Deed]:
    """Of the items that might have been there: those that the algorithms rank high enough, and those served now."""
    chosen = {item_id for item_id, _ in asked.person.events}
    found = {
        item_id: deed
        for item_id, deed in trace.left_out.items()
        if item_id in was or trace.proposed.get(item_id, MAX_ITEMS + 1) <= MAX_ITEMS
    }
    found |= {item_id: CONSUMED for item_id in was if item_id in chosen and item_id not in trace.proposed}
    ranked = sorted(found, key=lambda item_id: trace.proposed.get(item_id, MAX_ITEMS + was.get(item_id, 0)))
    return {item_id: found[item_id] for item_id in ranked if item_id not in shown}


def _deeds(asked: _Asked, trace: Trace, item_id: str) -> Iterator[Deed]:
    yield from trace.deeds.get(item_id, ())
    for pin in asked.rules.pins:
        if pin.item_id == item_id and _valid(pin, asked.now):
            yield Deed("pins", f"at position {pin.position}{_dates(pin)}")


def _notes(asked: _Asked) -> Iterator[str]:
    rules = asked.rules
    if rules.ai and asked.place.ai:
        prompt = prompts.known(rules.prompt)
        yield f"AI was not asked: a build may let it reorder the first {HEAD} and write reasons (prompt {prompt})."
    else:
        yield "AI is left out."
    if rules.rotate_minutes:
        yield f"The order is drawn anew every {rules.rotate_minutes} minutes."
    for pin in rules.pins:
        if not _valid(pin, asked.now):
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
