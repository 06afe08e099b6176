"""Brings ingested items into lists: their own similar-item lists, those of their neighbours, and users' lists.

Users are marked as after an event and rescored at once, a bounded number per item and minute, the best fits first;
other users get the item with their next event or the next build. A killed step leaves marks and waiting rows, and is
repeated to the same effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog
from django.conf import settings
from django.db.models import Sum

from accounts.tenancy import scope
from core.redis import RedisUnavailable
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import StoredList, decode_or_none
from recommendations.list_kinds import SIMILAR
from recommendations.pipeline.artefacts import live
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import embedding_neighbours, similar_items
from recommendations.pipeline.fresh_items import audience
from recommendations.pipeline.lists import entries, writer
from recommendations.pipeline.models import Build, FreshItem, ReferenceList
from recommendations.pipeline.nearline import claims, rescore
from recommendations.placements.models import HOME, Placement

BATCH = 100
# Similar-item lists that an item may get into, those of its nearest neighbours first.
NEIGHBOURS = similar_items.LIMIT
# Similar-item lists that one step replaces.
MAX_LISTS = 1_000
# Neighbours by which users are found.
_AUDIENCE_NEIGHBOURS = 30
_USERS_AT_ONCE = 20
_MINUTE = timedelta(minutes=1)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PendingFreshItem:
    """An item that waits to get into lists; `index` if anything is known of it."""

    item_id: str
    revision: int
    seen_at: datetime
    index: int | None
    near: bytes
    former_neighbours: bytes


def propagate(*, build: Build, loaded: Loaded, now: datetime) -> int:
    """Brings the next waiting items of a serving build into its lists, BATCH at most; returns how many.

    `loaded` knows the build's fresh items.

    Raises:
        RedisUnavailable: The items keep waiting.
    """
    pending = _pending(build, loaded)
    if not pending:
        return 0
    _replace_similar_lists(build, loaded, pending, now)
    counts = _rescore_audience(build, loaded, pending, now)
    with scope.tenant(build.tenant_id):
        for item, count in zip(pending, counts, strict=True):
            FreshItem.objects.filter(
                tenant_id=build.tenant_id, build=build, item_id=item.item_id, revision=item.revision
            ).update(waiting=False, left=b"", people=count, listed_at=now)
    return len(pending)


def _pending(build: Build, loaded: Loaded) -> list[PendingFreshItem]:
    with scope.tenant(build.tenant_id):
        waiting = FreshItem.objects.filter(tenant_id=build.tenant_id, build=build, waiting=True).order_by("revision")
        rows = list(waiting.values_list("item_id", "revision", "seen_at", "near", "left")[:BATCH])
    return [
        PendingFreshItem(item_id, revision, seen_at, loaded.index_of(item_id), bytes(near), bytes(former))
        for item_id, revision, seen_at, near, former in rows
    ]


def _replace_similar_lists(build: Build, loaded: Loaded, pending: Sequence[PendingFreshItem], now: datetime) -> None:
    """Replaces the similar-item lists of the items and of the items that may list them.

    A list by embeddings stays until its own item has another text: for an item without interactions it is better than
    one by shared words (recommendations.pipeline.candidates.embedding_neighbours).
    """
    by_index = {item.index: item for item in pending if item.index is not None}
    affected = list(dict.fromkeys([*by_index, *_neighbours(loaded, list(by_index.values()))]))[:MAX_LISTS]
    subjects = {loaded.item_ids[index]: index for index in affected}
    serves = _serves_similar_lists(build)
    stored = _stored_lists(build, list(subjects))
    kept = {
        index
        for item_id, index in subjects.items()
        if item_id in stored and _is_kept(stored[item_id], by_index.get(index))
    }
    lists = similar_items.make_lists_at(
        build=build,
        indices=[index for index in affected if index not in kept],
        loaded=loaded,
        now=now,
        locale=entries.tenant_locale(build.tenant_id),
        versions={item_id: old.provenance.version + 1 for item_id, old in stored.items()},
    )
    with scope.tenant(build.tenant_id):
        writer.write_reference_lists(lists)
    if serves:
        list_cache.set_many(
            (keys.reference_list(build.tenant_id, SIMILAR.key, row.subject), bytes(row.body)) for row in lists
        )


def _neighbours(loaded: Loaded, pending: Sequence[PendingFreshItem]) -> list[int]:
    """The indices of items that may list one of the items, or did so until now, the nearest first."""
    ranked: list[tuple[int, int]] = []
    for item in pending:
        assert item.index is not None
        if item.near:
            near = live.unpack_neighbours(item.near)
            indices = near.places[near.backward & (near.places < len(loaded.item_ids))][:NEIGHBOURS].tolist()
        else:  # it has returned, and the artefact knows it
            indices = loaded.recommender.similar_items(item.index, NEIGHBOURS).items.tolist()
        former = np.frombuffer(item.former_neighbours, dtype="<i4")
        ranked += enumerate(indices)
        ranked += enumerate(former[former < len(loaded.item_ids)].tolist())
    return [index for _, index in sorted(ranked, key=lambda pair: pair[0])]


def _is_kept(stored: StoredList, item: PendingFreshItem | None) -> bool:
    """Tell whether a list by embeddings stays; `item` if the list is that of a pending item."""
    if any(part != embedding_neighbours.PART for part in stored.parts):
        return False
    return item is None or not item.near or stored.provenance.generated_at >= entries.rfc3339(item.seen_at)


def _stored_lists(build: Build, subjects: Sequence[str]) -> dict[str, StoredList]:
    with scope.tenant(build.tenant_id):
        rows = ReferenceList.objects.filter(
            tenant_id=build.tenant_id, build=build, kind=SIMILAR.key, subject__in=subjects
        )
        bodies = list(rows.values_list("subject", "body"))
    decoded = {subject: decode_or_none(body) for subject, body in bodies}
    return {subject: stored for subject, stored in decoded.items() if stored is not None}


def _serves_similar_lists(build: Build) -> bool:
    with scope.tenant(build.tenant_id):
        return Placement.objects.filter(tenant_id=build.tenant_id, name=HOME, active_build=build).exists()


def _rescore_audience(build: Build, loaded: Loaded, pending: Sequence[PendingFreshItem], now: datetime) -> list[int]:
    """Rescores users that the items suit; returns the number of users by item."""
    pks, counts = audience.find_audience(
        tenant_id=build.tenant_id,
        items=[_similarities(loaded, item) for item in pending],
        per_item=settings.FRESH_PEOPLE_PER_ITEM,
        limit=settings.FRESH_PEOPLE_PER_MINUTE - _rescored_in_last_minute(build, now),
        now=now,
    )
    for start in range(0, len(pks), _USERS_AT_ONCE):
        batch = pks[start : start + _USERS_AT_ONCE]
        claims.mark_users(tenant_id=build.tenant_id, pks=batch)
        try:
            rescore.rescore(tenant_id=build.tenant_id, user_pks=batch)
        except RedisUnavailable:
            _log.info("audience_waits", reason="redis")  # their marks stay
    return counts


def _rescored_in_last_minute(build: Build, now: datetime) -> int:
    with scope.tenant(build.tenant_id):
        recent = FreshItem.objects.filter(tenant_id=build.tenant_id, build=build, listed_at__gt=now - _MINUTE)
        return int(recent.aggregate(people=Sum("people"))["people"] or 0)


def _similarities(loaded: Loaded, item: PendingFreshItem) -> Mapping[str, float]:
    """The item's similarities to its neighbours, from 0 to 1, and to itself."""
    if item.index is None:
        return {item.item_id: 1.0}
    near = loaded.recommender.similar_items(item.index, _AUDIENCE_NEIGHBOURS)
    best = float(np.max(near.scores, initial=0.0)) or 1.0
    pairs = zip(near.items.tolist(), near.scores.tolist(), strict=True)
    return {item.item_id: 1.0, **{loaded.item_ids[index]: score / best for index, score in pairs}}
