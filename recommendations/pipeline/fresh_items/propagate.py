"""Items that have been taken in come into lists: their own similar ones, those of their neighbours, and people's.

People are marked as after an event and scored anew at once, a bounded number per item and minute, the sharpest fits
first; the others get the item with their next event or the next build. A killed step leaves marks and waiting rows,
and is done again to the same effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog
from django.conf import settings
from django.db import connection
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
from recommendations.pipeline.nearline import rescore
from recommendations.placements.models import HOME, Placement

AT_ONCE = 100
# Whose similar lists an item may come into, the most alike first.
NEIGHBOURS = similar_items.LIMIT
# Similar lists made anew in one step.
MOST_LISTS = 1_000
# What is like an item, for finding whom it fits.
_FOR_FITTING = 30
_PEOPLE_AT_ONCE = 20
_MINUTE = timedelta(minutes=1)
# Rows that a transaction with new events holds are skipped: it marks them itself.
_MARK = """
    WITH idle AS (
        SELECT id FROM recommendations_enduser WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS person SET dirty_at = coalesce(person.dirty_at, statement_timestamp())
    FROM idle WHERE person.id = idle.id
"""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """An item that waits for its lists; `place` where anything is known of it."""

    item_id: str
    revision: int
    seen_at: datetime
    place: int | None
    near: bytes
    left: bytes


def list_news(*, build: Build, loaded: Loaded, now: datetime) -> int:
    """Brings the next waiting items of a build that serves into its lists, AT_ONCE at most; returns how many.

    `loaded` knows the build's fresh items. Raises: RedisUnavailable; the items wait on.
    """
    news = _waiting(build, loaded)
    if not news:
        return 0
    _make_similar(build, loaded, news, now)
    counts = _tell_people(build, loaded, news, now)
    with scope.tenant(build.tenant_id):
        for each, count in zip(news, counts, strict=True):
            held = FreshItem.objects.filter(
                tenant_id=build.tenant_id, build=build, item_id=each.item_id, revision=each.revision
            )
            held.update(waiting=False, left=b"", people=count, listed_at=now)
    return len(news)


def _waiting(build: Build, loaded: Loaded) -> list[News]:
    with scope.tenant(build.tenant_id):
        waiting = FreshItem.objects.filter(tenant_id=build.tenant_id, build=build, waiting=True).order_by("revision")
        found = list(waiting.values_list("item_id", "revision", "seen_at", "near", "left")[:AT_ONCE])
    return [
        News(item_id, revision, seen_at, loaded.place(item_id), bytes(near), bytes(left))
        for item_id, revision, seen_at, near, left in found
    ]


def _make_similar(build: Build, loaded: Loaded, news: Sequence[News], now: datetime) -> None:
    """The similar lists of the items and of those that may have them among theirs.

    A list that a model of language made stays, until its own item has another text: what it knows of an item that
    nobody has chosen is more than what shared words say (recommendations.pipeline.candidates.embedding_neighbours).
    """
    own = {each.place: each for each in news if each.place is not None}
    affected = dict.fromkeys(own)
    affected |= dict.fromkeys(_neighbours(loaded, [each for each in news if each.place is not None]))
    places = list(affected)[:MOST_LISTS]
    subjects = {loaded.item_ids[place]: place for place in places}
    serves = _serves(build)
    held = _held(build, list(subjects))
    kept = {place for item_id, place in subjects.items() if (old := held.get(item_id)) and _stands(old, own.get(place))}
    made = similar_items.of_places(
        build=build,
        places=[place for place in places if place not in kept],
        loaded=loaded,
        now=now,
        locale=entries.tenant_locale(build.tenant_id),
        versions={item_id: old.provenance.version + 1 for item_id, old in held.items()},
    )
    with scope.tenant(build.tenant_id):
        writer.write_reference(made)
    if serves:
        kind = SIMILAR.key
        list_cache.set_many((keys.reference_list(build.tenant_id, kind, row.subject), bytes(row.body)) for row in made)


def _neighbours(loaded: Loaded, news: Sequence[News]) -> list[int]:
    """The places of those that may have one of the items among theirs, or had it so far, the nearest first."""
    found: list[tuple[int, int]] = []
    for each in news:
        assert each.place is not None
        if each.near:
            near = live.unpacked_near(each.near)
            places = near.places[near.backward & (near.places < len(loaded.item_ids))][:NEIGHBOURS].tolist()
        else:  # it is back, and the artefact knows it
            places = loaded.recommender.similar_items(each.place, NEIGHBOURS).items.tolist()
        left = np.frombuffer(each.left, dtype="<i4")
        found += enumerate(places)
        found += enumerate(left[left < len(loaded.item_ids)].tolist())
    return [place for _, place in sorted(found, key=lambda pair: pair[0])]


def _stands(old: StoredList, own: News | None) -> bool:
    """Whether a list made by a model of language is to stay."""
    if any(part != embedding_neighbours.PART for part in old.parts):
        return False
    return own is None or not own.near or old.provenance.generated_at >= entries.stamp(own.seen_at)


def _held(build: Build, subjects: Sequence[str]) -> dict[str, StoredList]:
    with scope.tenant(build.tenant_id):
        there = ReferenceList.objects.filter(
            tenant_id=build.tenant_id, build=build, kind=SIMILAR.key, subject__in=subjects
        )
        found = list(there.values_list("subject", "body"))
    decoded = {subject: decode_or_none(body) for subject, body in found}
    return {subject: stored for subject, stored in decoded.items() if stored is not None}


def _serves(build: Build) -> bool:
    """Whether similar lists are served from this build."""
    with scope.tenant(build.tenant_id):
        return Placement.objects.filter(tenant_id=build.tenant_id, name=HOME, active_build=build).exists()


def _tell_people(build: Build, loaded: Loaded, news: Sequence[News], now: datetime) -> list[int]:
    """Makes the lists anew of those whom the items fit; returns for how many people of each item."""
    room = settings.FRESH_PEOPLE_PER_MINUTE - _lately(build, now)
    pks, counts = audience.people(
        tenant_id=build.tenant_id,
        items=[_likeness(loaded, each) for each in news],
        each=settings.FRESH_PEOPLE_PER_ITEM,
        most=room,
        now=now,
    )
    for at in range(0, len(pks), _PEOPLE_AT_ONCE):
        batch = pks[at : at + _PEOPLE_AT_ONCE]
        with scope.tenant(build.tenant_id), connection.cursor() as cursor:
            cursor.execute(_MARK, {"tenant": build.tenant_id, "pks": batch})
        try:
            rescore.rescore(tenant_id=build.tenant_id, user_pks=batch)
        except RedisUnavailable:
            _log.info("fitting_people_wait", reason="redis")  # their marks stay
    return counts


def _lately(build: Build, now: datetime) -> int:
    """For how many people lists have been made within the last minute."""
    with scope.tenant(build.tenant_id):
        lately = FreshItem.objects.filter(tenant_id=build.tenant_id, build=build, listed_at__gt=now - _MINUTE)
        return int(lately.aggregate(people=Sum("people"))["people"] or 0)


def _likeness(loaded: Loaded, each: News) -> Mapping[str, float]:
    """What is like an item, from 0 to 1, itself included."""
    if each.place is None:
        return {each.item_id: 1.0}
    near = loaded.recommender.similar_items(each.place, _FOR_FITTING)
    best = float(np.max(near.scores, initial=0.0)) or 1.0
    scores = {
        loaded.item_ids[place]: score / best
        for place, score in zip(near.items.tolist(), near.scores.tolist(), strict=True)
    }
    return {each.item_id: 1.0, **scores}
