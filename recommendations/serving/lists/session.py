"""A list for a visit whose events come with the request: nothing of it is stored, and nobody needs to be known.

    score(j) = sum over the visit's items i of 2 ** (-k / 3) * near(i, j) / near(i, best)

k counts back from the latest item; near is what the stored lists of neighbours and of items bought together say. So a
visit costs one round trip to Redis and no artefact in the web process.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from core import process_caches
from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import MAX_ITEMS, Entry, Provenance, StoredList, Voice
from recommendations.explanations.templates import explain
from recommendations.interactions import event_weights
from recommendations.interactions.event_weights import UNMAPPED
from recommendations.list_kinds import POPULAR, SESSION, SIMILAR, TOGETHER
from recommendations.serving.lists import fallback_chain
from recommendations.serving.lists.fallback_chain import Admit
from recommendations.serving.read import reason_language
from recommendations.serving.read.resolved import DATABASE_AWAY, Chosen, shows_anything, with_gone, without

# The latest distinct items that count.
ITEMS = 10
HALF_LIFE = 3.0
KINDS = (SIMILAR.key, TOGETHER.key)
MEANING_SECONDS = 30.0
_REMEMBERED_MAX = 2_000
_meanings: dict[int, tuple[Mapping[str, float], float]] = {}


@dataclass(frozen=True, slots=True)
class Visit:
    """The distinct items that speak, the latest first, as many as count; and those that are turned down."""

    item_ids: Sequence[str]
    rejected: frozenset[str] = frozenset()


def read(events: Sequence[Mapping[str, Any]], *, tenant_id: int) -> Visit:
    """The visit from its events, which are in its order, or in any where all say `occurred_at`.

    What a type says is the tenant's meaning: one that says nothing is left out, an item is turned down if the latest
    that was said of it is against it.
    """
    if all("occurred_at" in event for event in events):
        events = sorted(events, key=lambda event: event["occurred_at"])
    weights = _weights(tenant_id) if any("type" in event for event in events) else {}
    said: dict[str, float] = {}
    for event in reversed(events):
        weight = weights.get(event["type"], UNMAPPED) if "type" in event else UNMAPPED
        if weight:
            said.setdefault(event["item_id"], weight)
    spoke = [item_id for item_id, weight in said.items() if weight > 0]
    return Visit(spoke[:ITEMS], frozenset(item_id for item_id, weight in said.items() if weight < 0))


def reference(visit: Visit) -> str:
    """What tells this visit's list from others: its items, in their order."""
    named = json.dumps([list(visit.item_ids), sorted(visit.rejected)])
    return f"{SESSION.key}:" + hashlib.blake2b(named.encode(), digest_size=12).hexdigest()


def for_visit(*, tenant_id: int, visit: Visit, now: datetime, admit: Admit) -> Chosen:
    """What goes with the items, then what is popular; popular alone where nothing is known.

    Raises: what `admit` raises. Over the quota, as `personal.lists`.
    """
    item_ids = visit.item_ids
    wanted = [keys.reference_list(tenant_id, kind, item_id) for item_id in item_ids for kind in KINDS]
    wanted.append(keys.reference_list(tenant_id, POPULAR.key))
    decision = admit(list_cache.reads(tenant_id, wanted))
    if decision.static:
        return fallback_chain.over_quota(tenant_id, now)
    redis_up, found, gone = fallback_chain.brought(tenant_id, decision, wanted, now)
    near = list(found[:-1])
    if item_ids and not any(near):
        # Redis was emptied, or nobody knows these items: one statement tells.
        try:
            near = fallback_chain.neighbours_from_postgres(
                tenant_id=tenant_id, item_ids=item_ids, kinds=KINDS, held=near
            )
        except DATABASE_AWAY:
            near = [None] * len(near)
    common = without(fallback_chain.fallback(tenant_id, gone, redis_up, now, popular=found[-1]), visit.rejected)
    if not any(near):
        fresh = without(common, item_ids)
        # What has been seen already is better than a blank page.
        return fresh if shows_anything(fresh, now.timestamp()) else common
    stored = _blend(item_ids, near, common.stored, reason_language.of_tenant(tenant_id))
    return without(with_gone(tenant_id, stored, None, gone, now), visit.rejected)


@process_caches.register
def forget() -> None:
    """Forgets what the process knows of tenants' meanings."""
    _meanings.clear()


def _weights(tenant_id: int) -> Mapping[str, float]:
    """What each type says, as the process has known it for MEANING_SECONDS at most; the defaults without a database."""
    known, read_at = _meanings.get(tenant_id, (None, 0.0))
    if known is not None and time.monotonic() - read_at < MEANING_SECONDS:
        return known
    try:
        types = event_weights.of_tenant(tenant_id=tenant_id).types
    except DATABASE_AWAY:
        return known or event_weights.DEFAULTS
    if len(_meanings) >= _REMEMBERED_MAX:
        forget()
    found = {**event_weights.DEFAULTS, **{each.name: each.weight for each in types}}
    _meanings[tenant_id] = found, time.monotonic()
    return found


def _blend(item_ids: Sequence[str], near: Sequence[StoredList | None], common: StoredList, language: str) -> StoredList:
    """One list of all these, in the stored form, so that a page is cut from it like from any other."""
    scores: dict[str, float] = {}
    spoke: dict[str, list[tuple[float, str]]] = {}
    per_item = len(KINDS)
    for index, each in enumerate(near):
        if each is None:
            continue
        source = item_ids[index // per_item]
        weight = 2 ** (-(index // per_item) / HALF_LIFE)
        entries = each.entries()
        best = max((entry["score"] for entry in entries), default=0.0) or 1.0
        for entry in entries:
            said = weight * entry["score"] / best
            scores[entry["item_id"]] = scores.get(entry["item_id"], 0.0) + said
            spoke.setdefault(entry["item_id"], []).append((said, source))
    visited = set(item_ids)
    ranked = sorted((item_id for item_id in scores if item_id not in visited), key=lambda each: (-scores[each], each))
    reason = explain(part="session", locale=language)
    made = [
        Entry(item_id, round(scores[item_id], 6), reason, _evidence(spoke[item_id]), "session")
        for item_id in ranked[:MAX_ITEMS]
    ]
    listed = visited | {entry.item_id for entry in made}
    made += [
        Entry(entry["item_id"], 0.0, explain(part=part, locale=language), (), part)
        for entry, part in zip(common.entries(), common.parts, strict=True)
        if entry["item_id"] not in listed
    ][: MAX_ITEMS - len(made)]
    known = [each for each in near if each is not None]
    newest = max(known, key=lambda each: (each.provenance.build, each.provenance.generated_at)).provenance
    until = dict(chain.from_iterable(each.until.items() for each in [*known, common]))
    # Lists of neighbours change one by one: the version stands for what came of them.
    version = zlib.crc32("\n".join([language, *(f"{entry.item_id} {entry.score}" for entry in made)]).encode())
    provenance = Provenance(newest.build, version, "model", newest.generated_at, newest.artefact)
    return list_codec.decode(
        list_codec.encode(provenance=provenance, owner="", entries=made, until=until, voice=Voice(language))
    )


def _evidence(spoke: Sequence[tuple[float, str]]) -> tuple[str, ...]:
    best = sorted(spoke, reverse=True)
    return tuple(dict.fromkeys(source for _, source in best))[:2]
