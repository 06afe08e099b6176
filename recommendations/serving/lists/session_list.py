"""The list for a session whose events come with the request. None of them is stored, and no user needs to be known.

    score(j) = sum over the session's items i of 2 ** (-k / 3) * near(i, j) / near(i, best)

k counts back from the latest item; near(i, j) is the score of j in the stored lists of i: similar items, and items that
are bought together. So it costs one round trip to Redis, and no artefact in the web process.
"""

import hashlib
import json
import time
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from cachetools import LRUCache
from msgspec import structs

from core import process_caches
from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import MAX_ITEMS, Entry, Provenance, StoredList, Voice
from recommendations.explanations.templates import explain
from recommendations.interactions import event_weights
from recommendations.interactions.event_weights import DEFAULT_WEIGHT
from recommendations.list_kinds import POPULAR, SESSION, SIMILAR, TOGETHER
from recommendations.serving.lists import shared_lists
from recommendations.serving.lists.cached_lists import CachedLists
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.lists.limiter import Limiter
from recommendations.serving.read import reason_language
from recommendations.serving.read.resolved import DATABASE_AWAY, ResolvedList

MAX_SESSION_ITEMS = 10
HALF_LIFE_ITEMS = 3.0
NEIGHBOUR_KINDS = (SIMILAR.key, TOGETHER.key)
WEIGHTS_SECONDS = 30.0
# Weights of event types by tenant, with the moment (monotonic seconds) at which they were read.
_weights_by_tenant: LRUCache[int, tuple[Mapping[str, float], float]] = LRUCache(maxsize=2_000)
process_caches.register(_weights_by_tenant.clear)


@dataclass(frozen=True, slots=True)
class Session:
    """The latest distinct items that were chosen, the latest first, and all items that were turned down."""

    item_ids: Sequence[str]
    rejected: frozenset[str] = frozenset()

    @classmethod
    def from_events(cls, events: Sequence[Mapping[str, Any]], *, tenant_id: int) -> "Session":
        """Read the session from its events: in their order, or by `occurred_at` where all of them have it.

        The tenant's weights of event types apply: types with weight 0 are ignored, and the latest event about an item
        decides if it was turned down.
        """
        if all("occurred_at" in event for event in events):
            events = sorted(events, key=lambda event: event["occurred_at"])
        weights = _weights(tenant_id) if any("type" in event for event in events) else {}
        latest: dict[str, float] = {}
        for event in reversed(events):
            if weight := weights.get(event["type"], DEFAULT_WEIGHT) if "type" in event else DEFAULT_WEIGHT:
                latest.setdefault(event["item_id"], weight)
        chosen = [item_id for item_id, weight in latest.items() if weight > 0]
        rejected = frozenset(item_id for item_id, weight in latest.items() if weight < 0)
        return cls(chosen[:MAX_SESSION_ITEMS], rejected)

    @property
    def reference(self) -> str:
        """The name of its list, from its items and their order."""
        named = json.dumps([list(self.item_ids), sorted(self.rejected)])
        return f"{SESSION.key}:" + hashlib.blake2b(named.encode(), digest_size=12).hexdigest()


def read_session_list(*, tenant_id: int, session: Session, now: datetime, limiter: Limiter) -> ResolvedList:
    """Return the neighbours of the session's items, then popular items; only those if no neighbours are known.

    Raises: what `limiter` raises.
    """
    item_ids = session.item_ids
    wanted = [keys.reference_list(tenant_id, kind, item_id) for item_id in item_ids for kind in NEIGHBOUR_KINDS]
    wanted.append(keys.reference_list(tenant_id, POPULAR.key))
    decision = limiter.admit(list_cache.read_commands(tenant_id, wanted))
    if decision.static:
        return shared_lists.over_quota(tenant_id, now)
    cached = CachedLists.from_decision(tenant_id, decision, wanted, now)
    neighbours = list(cached.lists[:-1])
    if item_ids and not any(neighbours):
        # Redis was emptied, or these items have no neighbours: one statement tells.
        try:
            neighbours = shared_lists.complete_neighbours(
                tenant_id=tenant_id, item_ids=item_ids, kinds=NEIGHBOUR_KINDS, lists=neighbours
            )
        except DATABASE_AWAY:
            neighbours = [None] * len(neighbours)
    popular = FallbackResolver(cached, popular=cached.lists[-1]).resolve().without(session.rejected)
    if not any(neighbours):
        unseen = popular.without(item_ids)
        # Items of the session are better than a blank page.
        return unseen if unseen.has_available_items(now.timestamp()) else popular
    stored = _blend(item_ids, neighbours, popular.stored, reason_language.of_tenant(tenant_id))
    return replace(cached.resolve(stored), degraded=None).without(session.rejected)


def _weights(tenant_id: int) -> Mapping[str, float]:
    """Return the weight of each event type, at most WEIGHTS_SECONDS old; the defaults without a database."""
    weights, read_at = _weights_by_tenant.get(tenant_id, (None, 0.0))
    if weights is not None and time.monotonic() - read_at < WEIGHTS_SECONDS:
        return weights
    try:
        types = event_weights.load_event_weights(tenant_id=tenant_id).types
    except DATABASE_AWAY:
        return weights or event_weights.DEFAULTS
    weights = {**event_weights.DEFAULTS, **{each.name: each.weight for each in types}}
    _weights_by_tenant[tenant_id] = weights, time.monotonic()
    return weights


def _blend(
    item_ids: Sequence[str], neighbours: Sequence[StoredList | None], popular: StoredList, language: str
) -> StoredList:
    """Return one list in the stored form, so that a page is cut from it as from any other."""
    scores: dict[str, float] = defaultdict(float)
    sources: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for index, stored in enumerate(neighbours):
        if stored is None:
            continue
        position = index // len(NEIGHBOUR_KINDS)
        weight = 2 ** (-position / HALF_LIFE_ITEMS)
        entries = stored.entries()
        best = max((entry["score"] for entry in entries), default=0.0) or 1.0
        for entry in entries:
            score = weight * entry["score"] / best
            scores[entry["item_id"]] += score
            sources[entry["item_id"]].append((score, item_ids[position]))
    ranked = sorted(scores.keys() - set(item_ids), key=lambda item_id: (-scores[item_id], item_id))
    reason = explain(part=SESSION.key, locale=language)
    blended = [
        Entry(item_id, round(scores[item_id], 6), reason, _evidence(sources[item_id]), SESSION.key)
        for item_id in ranked[:MAX_ITEMS]
    ]
    listed = {*item_ids, *(entry.item_id for entry in blended)}
    blended += [
        structs.replace(entry, score=0.0, reason=explain(part=entry.part, locale=language), evidence=())
        for entry in popular.typed_entries()
        if entry.item_id not in listed
    ][: MAX_ITEMS - len(blended)]
    known = [stored for stored in neighbours if stored is not None]
    newest = max(known, key=lambda stored: (stored.provenance.build, stored.provenance.generated_at)).provenance
    until = dict(chain.from_iterable(stored.until.items() for stored in [*known, popular]))
    # Lists of neighbours change one by one, so the version is derived from the entries.
    version = zlib.crc32("\n".join([language, *(f"{entry.item_id} {entry.score}" for entry in blended)]).encode())
    provenance = Provenance(newest.build, version, "model", newest.generated_at, newest.artefact)
    return list_codec.decode(
        list_codec.encode(provenance=provenance, owner="", entries=blended, until=until, voice=Voice(language))
    )


def _evidence(sources: Sequence[tuple[float, str]]) -> tuple[str, ...]:
    """Return the two items of the session that contribute most."""
    best = sorted(sources, reverse=True)
    return tuple(dict.fromkeys(source for _, source in best))[:2]
