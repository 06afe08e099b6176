"""From a resolved list to the bytes of an answer: cut a page, and say how it was made.

The usual request copies the stored head; anything else parses the list. The same list, page and options always give
the same bytes, the same ETag and the same recommendation id.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recommendations import filter_language
from recommendations.attribution import recommendation_ids
from recommendations.attribution.impression_buffer import impression_buffer
from recommendations.attribution.served_pages import Page
from recommendations.cache.list_codec import HEAD, Chance, StoredList
from recommendations.degradation import NO_ITEMS
from recommendations.metrics import LISTS_SERVED
from recommendations.serving.page import selection
from recommendations.serving.page.filtering import Matcher
from recommendations.serving.read import cursor, reason_language, selectors
from recommendations.serving.read.list_query import Options, Subject
from recommendations.serving.read.resolved import ResolvedList

_USUAL = Options()


@dataclass(frozen=True, slots=True)
class Answer:
    """The body, its validator, the cursor of the next page, and the data of its impression.

    `page` is stored for estimates.
    """

    body: bytes
    etag: str
    next: str | None
    recommendation_id: str
    label: str
    arm: str
    source: str
    item_ids: Sequence[str]
    page: Page | None = None
    degraded: str | None = None


def read_cursor(token: str, *, subject: Subject, options: Options, now: datetime) -> tuple[bytes, ...]:
    """Return the digests of the items that earlier pages showed.

    Raises: cursor.InvalidCursor.
    """
    return tuple(cursor.read(token, binding=subject.binding() + options.binding(), now=now))


def render(*, resolved: ResolvedList, subject: Subject, options: Options, now: datetime) -> Answer:
    """Return the page of one list. PostgreSQL is asked only if the options filter, exclude, or include items."""
    (answer,) = render_pages(
        tenant_id=subject.tenant_id, lists=[resolved], subjects=[subject], options=options, now=now
    )
    return answer


def render_head(*, resolved: ResolvedList, subject: Subject, now: datetime) -> Answer:
    """Return the page whose items are the stored head (`selection.untouched`), without counting it as served."""
    return _answer(resolved, subject, _USUAL, None, now)


def render_pages(
    *, tenant_id: int, lists: Sequence[ResolvedList], subjects: Sequence[Subject], options: Options, now: datetime
) -> list[Answer]:
    """Return the page of each list, with as many statements as for one: one more for each condition of a filter that
    names the user.
    """
    matcher = matcher_of(tenant_id=tenant_id, options=options, now=now)
    if matcher.narrows and len(lists) > 1:
        matcher.prepare(
            [(subject.user_id, _item_ids(resolved)) for resolved, subject in zip(lists, subjects, strict=True)]
        )
    return _rendered(tenant_id, list(zip(lists, subjects, strict=True)), options, now, matcher)


def _rendered(
    tenant_id: int, lists: Sequence[tuple[ResolvedList, Subject]], options: Options, now: datetime, matcher: Matcher
) -> list[Answer]:
    moment = now.timestamp()
    selections: list[selection.Selection | None] = []
    for resolved, subject in lists:
        spoken = reason_language.of_answer(resolved, options, tenant_id)
        if options.usual and selection.untouched(resolved, spoken, moment):
            selections.append(None)
            continue
        selections.append(
            selection.select(
                resolved=resolved,
                user_id=subject.user_id,
                options=options,
                matcher=matcher,
                language=spoken,
                moment=moment,
            )
        )
    if options.include_item:
        entries = [entry for each in selections if each is not None for entry in each.page]
        include_items(tenant_id, entries, options.item_attributes)
    answers = []
    for (resolved, subject), selected in zip(lists, selections, strict=True):
        answer = _answer(resolved, subject, options, selected, now)
        LISTS_SERVED.labels(answer.source, answer.degraded or "none").inc()
        answers.append(answer)
    return answers


def _answer(
    resolved: ResolvedList, subject: Subject, options: Options, selected: selection.Selection | None, now: datetime
) -> Answer:
    """Return the answer for a selection; without one, for the stored head."""
    if selected is None:
        stored = resolved.stored
        items, ids, more = stored.head, stored.head_ids, stored.total > len(stored.head_ids)
    else:
        if not selected.page and not options.shown:
            resolved = _without_items(resolved)
        ids = tuple(item["item_id"] for item in selected.page)
        items, more = ",".join(_dumps(item) for item in selected.page).encode(), selected.more
    kept = _kept(resolved, subject, options, ids, selected)
    after = None
    if more:
        shown = [*options.shown, *(cursor.digest(item_id) for item_id in ids)]
        after = cursor.write(shown=shown, binding=subject.binding() + options.binding(), now=now)
    return _assemble(resolved, subject, options, items, ids, after, kept)


def _kept(
    resolved: ResolvedList, subject: Subject, options: Options, ids: Sequence[str], selected: selection.Selection | None
) -> Page | None:
    """Return what estimates need of a first page, with nothing narrowed, of somebody's own list at a placement."""
    stored = resolved.stored
    if subject.placement is None or stored.owner != subject.user_id or options.narrows or options.shown or not ids:
        return None
    rotation = selected.rotation if selected is not None else None
    chance = _explored(stored, ids) if stored.chance.exploration is not None and rotation is None else stored.chance
    return Page(tuple(ids[:HEAD]), stored.provenance.generated_at, stored.provenance.artefact, chance, rotation)


def _without_items(resolved: ResolvedList) -> ResolvedList:
    """Return the list as one without items: none meets the request."""
    made = replace(resolved.stored.provenance, source="static", simulated=False)
    return replace(resolved, stored=replace(resolved.stored, provenance=made), degraded=NO_ITEMS)


def matcher_of(*, tenant_id: int, options: Options, now: datetime) -> Matcher:
    """Return the matcher for the category and the filter of the options.

    Raises: FilterRefused.
    """
    node = filter_language.parse(options.filter) if options.filter else None
    return Matcher(tenant_id=tenant_id, category=options.category, node=node, now=now)


def _item_ids(resolved: ResolvedList) -> list[str]:
    lists = (resolved.stored, resolved.spare)
    return [entry["item_id"] for each in lists if each is not None for entry in each.entries()]


def record_impression(*, answer: Answer, subject: Subject, now: datetime) -> None:
    """Count the page as shown, if the tenant counts served pages. Call it for every 200 and 304; it does no I/O."""
    impression_buffer.record(
        tenant_id=subject.tenant_id,
        recommendation_id=answer.recommendation_id,
        user_id=subject.user_id,
        placement=answer.label,
        arm=answer.arm,
        source=answer.source,
        item_ids=answer.item_ids,
        at=now.timestamp(),
        page=answer.page,
    )


def include_items(tenant_id: int, entries: Sequence[dict[str, Any]], shown: frozenset[str] | None) -> None:
    """Add the catalogue's items to the entries, with one statement; of attributes only those in `shown`."""
    found = selectors.items(tenant_id=tenant_id, item_ids={entry["item_id"] for entry in entries})
    for entry in entries:
        item = found.get(entry["item_id"])
        entry["item"] = item and {
            "item_id": item.item_id,
            "title": item.title,
            "description": item.description,
            "categories": item.categories,
            "attributes": {name: value for name, value in item.attributes.items() if shown is None or name in shown},
        }


def _explored(stored: StoredList, ids: Sequence[str]) -> Chance:
    """Return what was drawn of a page's places; not told where something was withdrawn: what stood where is lost."""
    drawn = stored.chance.exploration
    shown = min(len(ids), HEAD)
    if drawn is None or tuple(ids[:shown]) != stored.head_ids[:shown]:
        return replace(stored.chance, exploration=None, told=False)
    known = [item_id for place, item_id in enumerate(stored.head_ids) if place not in drawn.drawn]
    places = tuple(place for place in drawn.drawn if place < shown)
    further = tuple([*known, *drawn.further][shown - len(places) : shown])
    return replace(stored.chance, exploration=replace(drawn, drawn=places, further=further))


def _assemble(
    resolved: ResolvedList,
    subject: Subject,
    options: Options,
    items: bytes,
    ids: Sequence[str],
    after: str | None,
    kept: Page | None,
) -> Answer:
    made = resolved.stored.provenance
    usual = items is resolved.stored.head
    identity = _dumps(
        [subject.binding(), made.build, made.version, made.source, made.generated_at, resolved.degraded]
        + ([] if usual else [options.limit, options.binding(), *ids])
    )
    label = recommendation_ids.label(subject.placement, subject.reference)
    recommendation_id = recommendation_ids.make(identity, source=made.source, placement=label, arm=made.arm)
    envelope = {
        "recommendation_id": recommendation_id,
        "user_id": subject.user_id,
        "placement": subject.placement,
        "source": made.source,
        "degraded": resolved.degraded,
        "simulated": made.simulated,
        "artefact": made.artefact,
        "generated_at": made.generated_at,
        "next": after,
    }
    head = _dumps(envelope)[:-1].encode() + b',"items":['
    # The head's bytes follow from build and version, which `head` names through its id; others are hashed.
    fingerprint = hashlib.blake2b(head, digest_size=16)
    if not usual:
        fingerprint.update(items)
    etag = f'"{fingerprint.hexdigest()}"'
    body = head + items + b"]}"
    return Answer(body, etag, after, recommendation_id, label, made.arm, made.source, ids, kept, resolved.degraded)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
