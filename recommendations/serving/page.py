"""From a chosen list to the bytes of an answer: filter, cut, number, and say how it was made.

The usual request copies the stored head; anything else parses the list. The same list, page and options always give
the same bytes, the same ETag and the same recommendation id.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recommendations.attribution import recommendation_ids
from recommendations.attribution.collector import collector
from recommendations.cache.form import HEAD
from recommendations.metrics import SERVED
from recommendations.serving import cursor, queries
from recommendations.serving.ladder import Chosen

MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asked for. `shown` are digests of the items of earlier pages."""

    limit: int = HEAD
    category: str = ""
    exclude: frozenset[str] = frozenset()
    include_item: bool = False
    explain: bool = False
    shown: Sequence[bytes] = field(default_factory=tuple)

    @property
    def usual(self) -> bool:
        """Whether the stored head is the answer."""
        return self.limit == HEAD and not (
            self.category or self.exclude or self.include_item or self.explain or self.shown
        )

    def binding(self) -> str:
        """What a cursor for the next page is bound to, besides its subject."""
        return json.dumps([self.category, sorted(self.exclude), self.include_item, self.explain])


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose or what list it is: the person at a placement, or something without a person."""

    tenant_id: int
    user_id: str | None = None
    placement: str | None = None
    reference: str = ""

    def binding(self) -> str:
        """What distinguishes its cursors from all others."""
        return json.dumps([self.tenant_id, self.user_id, self.placement, self.reference])


@dataclass(frozen=True, slots=True)
class Answer:
    """The body, its validator, the cursor of the next page, if there is one, and what is counted when it is served."""

    body: bytes
    etag: str
    next: str | None
    recommendation_id: str
    label: str
    arm: str
    source: str
    item_ids: Sequence[str]


def read_cursor(token: str, *, subject: Subject, options: Options, now: datetime) -> tuple[bytes, ...]:
    """What earlier pages of this walk showed.

    Raises: cursor.InvalidCursor.
    """
    return tuple(cursor.read(token, binding=subject.binding() + options.binding(), now=now))


def render(*, chosen: Chosen, subject: Subject, options: Options, now: datetime) -> Answer:
    """The page. Asks Postgres only for `category` and `include=item`."""
    stored, moment = chosen.stored, now.timestamp()
    if options.usual and _untouched(chosen, moment):
        items, ids, more = stored.head, stored.head_ids, stored.total > len(stored.head_ids)
    else:
        page, more = _select(chosen, subject, options, moment)
        ids = tuple(item["item_id"] for item in page)
        items = ",".join(_dumps(item) for item in page).encode()
    after = None
    if more:
        shown = [*options.shown, *(cursor.digest(item_id) for item_id in ids)]
        after = cursor.write(shown=shown, binding=subject.binding() + options.binding(), now=now)
    return _assemble(chosen, subject, options, items, ids, after)


def served(*, answer: Answer, subject: Subject, now: datetime) -> None:
    """Counts the page as shown, where the tenant has it so. Call it for every 200 and 304; it asks nobody."""
    collector.collect(
        tenant_id=subject.tenant_id,
        recommendation_id=answer.recommendation_id,
        user_id=subject.user_id,
        placement=answer.label,
        arm=answer.arm,
        source=answer.source,
        item_ids=answer.item_ids,
        at=now.timestamp(),
    )


def _untouched(chosen: Chosen, moment: float) -> bool:
    gone, until = chosen.gone, chosen.stored.until
    if not gone and not until:
        return True
    return all(_may_be_shown(item_id, gone, until, moment) for item_id in chosen.stored.head_ids)


def _may_be_shown(item_id: str, gone: Mapping[str, float], until: Mapping[str, float], moment: float) -> bool:
    return gone.get(item_id, moment + 1) > moment and until.get(item_id, moment + 1) > moment


def _select(chosen: Chosen, subject: Subject, options: Options, moment: float) -> tuple[list[dict[str, Any]], bool]:
    stored = chosen.stored
    entries = stored.entries()
    for entry, part in zip(entries, stored.parts, strict=True):
        if options.explain:
            entry["explain"] = {"part": part}
    shown = set(options.shown)
    left = [
        entry
        for entry in entries
        if entry["item_id"] not in options.exclude
        and _may_be_shown(entry["item_id"], chosen.gone, stored.until, moment)
        and (not shown or cursor.digest(entry["item_id"]) not in shown)
    ]
    if options.category:
        ids = [entry["item_id"] for entry in left]
        kept = queries.in_category(tenant_id=subject.tenant_id, item_ids=ids, category=options.category)
        left = [entry for entry in left if entry["item_id"] in kept]
    page = left[: options.limit]
    for rank, entry in enumerate(page, start=len(options.shown) + 1):
        entry["rank"] = rank
    if options.include_item:
        _include_items(subject.tenant_id, page)
    return page, len(left) > options.limit


def _include_items(tenant_id: int, page: Sequence[dict[str, Any]]) -> None:
    found = queries.items(tenant_id=tenant_id, item_ids=[entry["item_id"] for entry in page])
    for entry in page:
        item = found.get(entry["item_id"])
        entry["item"] = item and {
            "item_id": item.item_id,
            "title": item.title,
            "description": item.description,
            "categories": item.categories,
            "attributes": item.attributes,
        }


def _assemble(
    chosen: Chosen, subject: Subject, options: Options, items: bytes, ids: Sequence[str], after: str | None
) -> Answer:
    made = chosen.stored.provenance
    usual = items is chosen.stored.head
    identity = _dumps(
        [subject.binding(), made.build, made.version, made.source, made.generated_at, chosen.degraded]
        + ([] if usual else [options.limit, options.binding(), *ids])
    )
    label = recommendation_ids.label(subject.placement, subject.reference)
    recommendation_id = recommendation_ids.make(identity, source=made.source, placement=label, arm=made.arm)
    envelope = {
        "recommendation_id": recommendation_id,
        "user_id": subject.user_id,
        "placement": subject.placement,
        "source": made.source,
        "degraded": chosen.degraded,
        "simulated": made.simulated,
        "artefact": made.artefact,
        "generated_at": made.generated_at,
        "next": after,
    }
    SERVED.labels(made.source, chosen.degraded or "none").inc()
    head = _dumps(envelope)[:-1].encode() + b',"items":['
    # The head's bytes follow from build and version, which `head` names through its id; others are hashed.
    fingerprint = hashlib.blake2b(head, digest_size=16)
    if not usual:
        fingerprint.update(items)
    etag = f'"{fingerprint.hexdigest()}"'
    return Answer(head + items + b"]}", etag, after, recommendation_id, label, made.arm, made.source, ids)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
