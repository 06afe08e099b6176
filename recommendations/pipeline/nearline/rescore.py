"""Near line: a person's list follows their events within seconds, with the active artefact and without AI.

The order of work keeps the promise: the history is read, the list is written, Redis is told, and only then is the
person's mark taken away, if nothing came since the reading. Killed in between, the mark stays and the sweep finds it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from accounts.tenancy import scope
from core import clock
from core.queue import enqueue
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import Entry, Provenance, StoredList, decode_or_none
from recommendations.interactions.task_names import RESCORE
from recommendations.pipeline.artefacts import live
from recommendations.pipeline.artefacts import store as artefacts
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import profiles
from recommendations.pipeline.lists.entries import BY_AI, Draft
from recommendations.pipeline.lists.profiles import Person
from recommendations.pipeline.models import UserList
from recommendations.pipeline.ranking import pins, variants
from recommendations.pipeline.ranking.variants import Made, Way
from recommendations.placements.models import Placement

_log = structlog.get_logger(__name__)
# People whom one task takes along where more wait than it was asked for.
TOGETHER = 32
# Those who have waited this share of the debounce come along: less than those have who share a message
# (recommendations.interactions.triggers).
WAITED = 0.3
# Version and list of somebody who has none yet.
NOTHING: tuple[int, StoredList | None] = (0, None)
# Writes a version of a list that follows the one that was read; whoever was quicker wins.
_WRITE = """
    INSERT INTO recommendations_userlist AS held
        (tenant_id, build_id, placement_id, end_user_id, version, source, arm, body, generated_at, person_version)
    SELECT %(tenant)s, %(build)s, %(placement)s, row.*, %(now)s, NULL
    FROM unnest(
        %(people)s::bigint[], %(versions)s::integer[], %(sources)s::text[], %(arms)s::text[], %(bodies)s::bytea[]
    ) AS row
    ORDER BY 1
    ON CONFLICT (build_id, placement_id, end_user_id) DO UPDATE SET
        version = excluded.version, source = excluded.source, arm = excluded.arm, body = excluded.body,
        generated_at = excluded.generated_at, person_version = NULL
    WHERE held.version = excluded.version - 1
    RETURNING end_user_id
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The active build of a placement and its artefact."""

    placement_id: int
    placement: str
    build_id: int
    artefact_id: int
    file: str
    versions: Mapping[str, int | None]


def rescore(*, tenant_id: int, user_pks: Collection[int]) -> int:
    """Makes the lists anew of those of the people who wait for it, and of others along with them; returns how many.

    Without an active build nothing happens, and they wait on. Raises: RedisUnavailable; they wait on as well.
    """
    return make(tenant_id=tenant_id, claimed=claim(tenant_id=tenant_id, user_pks=user_pks))


def waited() -> float:
    """Return how many seconds somebody must have waited to come along."""
    return float(settings.NEARLINE_DEBOUNCE_SECONDS * WAITED)


def claim(*, tenant_id: int, user_pks: Collection[int]) -> list[int]:
    """Takes those of the people who wait, and others along with them; `make` must follow."""
    return profiles.claim(tenant_id=tenant_id, pks=user_pks, together=TOGETHER, waited=waited())


def make(*, tenant_id: int, claimed: Sequence[int]) -> int:
    """Makes the lists anew of people whom `claim` took; returns how many.

    Raises: RedisUnavailable; they wait on.
    """
    if not claimed:
        return 0
    try:
        return _rescore(tenant_id, claimed)
    except BaseException:
        profiles.release(tenant_id=tenant_id, pks=claimed)
        raise


def _rescore(tenant_id: int, claimed: Sequence[int]) -> int:
    snapshots = _snapshots(tenant_id)
    found = profiles.read_dirty(tenant_id=tenant_id, pks=claimed)
    # After the histories were read: a swap compares it with the moment before a build read them (publish).
    now = clock.database_now()
    written: set[int] | None = None
    for snapshot in snapshots:
        done = _rescore_at(tenant_id, snapshot, found, now)
        written = done if written is None else written & done
    versions = {person.pk: person.version for person in found if person.pk in (written or ())}
    with scope.tenant(tenant_id):
        settled = profiles.settle(tenant_id=tenant_id, versions=versions)
        # News came meanwhile, and its sender saw that the person waits already.
        left = [pk for pk in claimed if pk not in settled]
        profiles.release(tenant_id=tenant_id, pks=left)
        if left:
            enqueue(RESCORE, countdown=settings.NEARLINE_DEBOUNCE_SECONDS, tenant_id=tenant_id, user_pks=left)
    return len(versions)


def _snapshots(tenant_id: int) -> list[Snapshot]:
    with scope.tenant(tenant_id):
        active = Placement.objects.filter(tenant_id=tenant_id, active_build__artefact__isnull=False).order_by("pk")
        rows = active.values_list(
            "pk",
            "name",
            "active_build",
            "active_build__artefact",
            "active_build__artefact__file",
            "active_build__versions",
        )
        return [Snapshot(*row) for row in rows]


def _rescore_at(tenant_id: int, snapshot: Snapshot, found: Sequence[Person], now: datetime) -> set[int]:
    """Writes the people's lists at one placement, in Postgres and in Redis; returns whose were written."""
    alone = artefacts.load(artefact_id=snapshot.artefact_id, file=snapshot.file)
    loaded = live.with_fresh(alone, tenant_id=tenant_id, build_id=snapshot.build_id)
    locale = lists.tenant_locale(tenant_id)
    with scope.tenant(tenant_id):
        held = _held(tenant_id, snapshot, found)
    place = snapshot.placement_id
    follow = variants.followings(tenant_id=tenant_id, placements=[place], versions=snapshot.versions, loaded=loaded)[
        place
    ]
    # The arm that the held list names, not the one that a build would choose now: a list and its arm change together.
    labels = [follow.still(old.provenance.arm) if (old := held.get(person.pk, NOTHING)[1]) else "" for person in found]
    made = variants.make(
        tenant_id=tenant_id,
        people=found,
        follow={place: follow},
        labels={place: labels},
        texts=False,
        now=now,
        locale=locale,
    )
    bodies: dict[int, tuple[Draft, int, bytes]] = {}
    for person, label, draft in zip(found, labels, made.drafts[place], strict=True):
        version, old = held.get(person.pk, NOTHING)
        way, own = follow.way(label), person.locale or locale
        share = old.chance.share if old and label else 1.0
        said = (with_words_of(old, draft) if old else draft).in_arm(label, share)
        said = replace(said, entries=pins.pinned(said.entries, way.rules, made.shown, own))
        reading = pins.travelling(said, way.rules, made.shown, own)
        bodies[person.pk] = (said, version + 1, _body(snapshot, way, said, made, version + 1, now, own, reading))
    written = _write(tenant_id, snapshot, bodies, now)
    names = {person.pk: person.user_id for person in found}
    list_cache.set_many(
        (keys.user_list(tenant_id, snapshot.placement, names[pk]), bodies[pk][2]) for pk in sorted(written)
    )
    return written


def _held(tenant_id: int, snapshot: Snapshot, found: Sequence[Person]) -> dict[int, tuple[int, StoredList | None]]:
    rows = UserList.objects.filter(
        tenant_id=tenant_id,
        build_id=snapshot.build_id,
        placement_id=snapshot.placement_id,
        end_user_id__in=[person.pk for person in found],
    )
    return {
        pk: (version, decode_or_none(body)) for pk, version, body in rows.values_list("end_user_id", "version", "body")
    }


def with_words_of(old: StoredList, made: Draft) -> Draft:
    """The new order with the reasons that AI wrote for the items that stay."""
    words = {
        entry["item_id"]: (entry["reason"], tuple(each["item_id"] for each in entry["evidence"]), part)
        for entry, part in zip(old.entries(), old.parts, strict=True)
        if part.endswith(BY_AI)
    }
    entries = [_said(entry, words) for entry in made.entries]
    kept = any(entry.item_id in words for entry in entries)
    return replace(made, entries=tuple(entries), simulated=kept and old.provenance.simulated)


def _said(entry: Entry, words: Mapping[str, tuple[str, tuple[str, ...], str]]) -> Entry:
    if entry.item_id not in words:
        return entry
    reason, evidence, part = words[entry.item_id]
    return replace(entry, reason=reason, evidence=evidence, part=part)


def _body(
    snapshot: Snapshot,
    way: Way,
    draft: Draft,
    made: Made,
    version: int,
    now: datetime,
    locale: str,
    reading: Mapping[str, Any],
) -> bytes:
    provenance = Provenance(
        build=snapshot.build_id,
        version=version,
        source=draft.source,
        generated_at=lists.stamp(now),
        artefact=way.loaded.artefact_id,
        simulated=draft.simulated,
        arm=draft.arm,
    )
    return lists.body(
        owner=draft.person.user_id,
        entries=draft.entries,
        facts=made.facts,
        provenance=provenance,
        locale=locale,
        reading=reading,
        chance=draft.chance,
    )


def _write(
    tenant_id: int, snapshot: Snapshot, bodies: Mapping[int, tuple[Draft, int, bytes]], now: datetime
) -> set[int]:
    """Writes the rows if the snapshot is still the active one; returns whose were written."""
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT active_build_id FROM recommendations_placement WHERE tenant_id = %s AND id = %s FOR SHARE",
            [tenant_id, snapshot.placement_id],
        )
        row = cursor.fetchone()
        if row is None or row[0] != snapshot.build_id:
            return set()
        cursor.execute(
            _WRITE,
            {
                "tenant": tenant_id,
                "build": snapshot.build_id,
                "placement": snapshot.placement_id,
                "now": now,
                "people": list(bodies),
                "versions": [version for _, version, _ in bodies.values()],
                "sources": [made.source for made, _, _ in bodies.values()],
                "arms": [made.arm for made, _, _ in bodies.values()],
                "bodies": [body for _, _, body in bodies.values()],
            },
        )
        return {pk for (pk,) in cursor.fetchall()}
