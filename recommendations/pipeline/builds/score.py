"""The second step of a build: one chunk of its lists, done by one worker and to effect once.

The rows and the chunk's end are committed together, on condition that the chunk's lease is still ours.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists
from django.db.models.functions import Now

from accounts.tenancy import scope
from core import clock, leases
from core.leases import Heartbeat, Lease
from core.queue import enqueue
from recommendations.ai.uplift import fallback_stats
from recommendations.cache.list_codec import Provenance
from recommendations.list_kinds import SIMILAR
from recommendations.metrics import AI_FALLBACKS, AI_SKIPPED, BUILD_SECONDS
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.builds import claims, publish
from recommendations.pipeline.candidates import embedding_neighbours, list_writers
from recommendations.pipeline.lists import entries, profiles, writer
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.llm.rerank import rerank_heads
from recommendations.pipeline.models import Build, Chunk, ReferenceList, UserList
from recommendations.pipeline.ranking import pins, variants
from recommendations.pipeline.ranking.variants import Made, Way
from recommendations.pipeline.task_names import PUBLISH, SCORE_CHUNK
from recommendations.placements.models import Placement


@dataclass(slots=True)
class Work:
    """What a chunk came to: rows that are not saved yet, and counts."""

    personal: list[UserList] = field(default_factory=list)
    reference: list[ReferenceList] = field(default_factory=list)
    spare: list[ReferenceList] = field(default_factory=list)  # written only where there is no better one
    outcomes: dict[str, Any] = field(default_factory=dict)


def score_chunk(*, tenant_id: int, build_id: int) -> bool:
    """Does the build's next free chunk and asks for the one after it; False when there was none to do."""
    claimed = claims.claim_chunk(tenant_id=tenant_id, build_id=build_id)
    if claimed is None:
        _publish_if_done(tenant_id, build_id)
        return False
    lease, chunk = claimed
    started = time.monotonic()
    with claims.holding(lease, tenant_id=tenant_id, build_id=build_id) as heartbeat:
        with scope.tenant(tenant_id):
            build = Build.objects.select_related("artefact").get(tenant_id=tenant_id, pk=build_id)
        assert build.artefact is not None
        alone = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
        loaded = live.with_fresh(alone, tenant_id=tenant_id, build_id=build_id)
        work = _work(build, chunk, loaded, heartbeat)
        _save(lease, build, work)
    BUILD_SECONDS.labels(f"score_{chunk.kind}").observe(time.monotonic() - started)
    for reason, count in work.outcomes.get("ai_fallbacks", {}).items():
        AI_FALLBACKS.labels(reason).inc(count)
    for reason, count in work.outcomes.get("ai_skipped", {}).items():
        AI_SKIPPED.labels(reason).inc(count)
    return True


def _work(build: Build, chunk: Chunk, loaded: Loaded, heartbeat: Heartbeat) -> Work:
    locale = entries.tenant_locale(build.tenant_id)
    if chunk.kind == Chunk.Kind.PEOPLE:
        return _lists_of_people(build, chunk, loaded, locale, heartbeat)
    now = clock.database_now()
    if chunk.kind == Chunk.Kind.SIMILAR:
        rows = list_writers.make_item_lists(build=build, chunk=chunk, loaded=loaded, now=now, locale=locale)
        # Of an item that nobody has chosen, a model of language knows more than the words that texts share: its list
        # stays (recommendations.pipeline.candidates.embedding_neighbours), whichever chunk comes first.
        spare = [row for row in rows if row.kind == SIMILAR.key and loaded.index(row.subject) is None]
        return Work(reference=[row for row in rows if row not in spare], spare=spare)
    if chunk.kind == Chunk.Kind.SEMANTIC:
        return Work(
            reference=embedding_neighbours.of_cold_items(
                build=build, loaded=loaded, now=now, locale=locale, between=heartbeat.check
            )
        )
    return Work(reference=list_writers.make_shared_lists(build=build, loaded=loaded, version=1, now=now, locale=locale))


def _lists_of_people(build: Build, chunk: Chunk, loaded: Loaded, locale: str, heartbeat: Heartbeat) -> Work:
    # Before the histories are read: whatever comes later than this moment may not be in the lists.
    now = clock.database_now()
    found = profiles.read_range(tenant_id=build.tenant_id, first=chunk.first, last=chunk.last)
    with scope.tenant(build.tenant_id):
        placements = list(publish.placements_of(build).order_by("pk"))
    follow = variants.followings(
        tenant_id=build.tenant_id,
        placements=[placement.pk for placement in placements],
        versions=build.versions,
        loaded=loaded,
    )
    labels = {pk: [each.label_of(person.user_id) for person in found] for pk, each in follow.items()}
    made = variants.make(
        tenant_id=build.tenant_id,
        people=found,
        follow=follow,
        labels=labels,
        texts=build.ai_calls_limit > 0,
        now=now,
        locale=locale,
    )
    heartbeat.check()
    work = Work(outcomes={"lists": Counter(), "ai_meant": 0, "ai_fallbacks": Counter(), "ai_skipped": Counter()})
    for placement in placements:
        reranked = rerank_heads(
            build=build,
            placement=placement,
            following=follow[placement.pk],
            drafts=made.drafts[placement.pk],
            facts=made.facts,
            tenant_locale=locale,
            between=heartbeat.check,
        )
        work.outcomes["ai_meant"] += reranked.meant
        work.outcomes["ai_fallbacks"] += reranked.fallbacks
        work.outcomes["ai_skipped"] += reranked.skipped
        work.outcomes["lists"] += Counter(each.source for each in reranked.drafts)
        work.personal += [
            _row(build, placement, follow[placement.pk].way(each.arm), each, made, locale, now)
            for each in reranked.drafts
        ]
    return work


def _row(
    build: Build,
    placement: Placement,
    way: Way,
    each: Draft,
    made: Made,
    tenant_locale: str,
    now: datetime,
) -> UserList:
    locale = each.person.locale or tenant_locale
    provenance = Provenance(
        build=build.pk,
        version=1,
        source=each.source,
        generated_at=entries.stamp(now),
        artefact=way.loaded.artefact_id,
        degraded=each.degraded,
        simulated=each.simulated,
        arm=each.arm,
    )
    return UserList(
        tenant_id=build.tenant_id,
        build=build,
        placement=placement,
        end_user_id=each.person.pk,
        version=1,
        source=each.source,
        arm=each.arm,
        body=entries.body(
            owner=each.person.user_id,
            entries=pins.pinned(each.entries, way.rules, made.shown, locale),
            facts=made.facts,
            provenance=provenance,
            locale=locale,
            reading=pins.travelling(each, way.rules, made.shown, locale),
            chance=each.chance,
        ),
        generated_at=now,
        person_version=each.person.version,
    )


def _save(lease: Lease, build: Build, work: Work) -> None:
    """The chunk's effect, once.

    Raises: LeaseLost, and nothing is written.
    """
    with scope.tenant(build.tenant_id):
        # The condition first: whoever lost the lease writes nothing, and of two who save only one gets past it.
        lease.finish(
            status=Chunk.Status.DONE,
            lists=len(work.personal) + len(work.reference) + len(work.spare),
            outcomes=work.outcomes,
            done_at=Now(),
        )
        writer.write_personal(work.personal)
        writer.write_reference(work.reference)
        writer.write_reference(work.spare, replace=False)
        _note_fallbacks(build, work)
        # Another chunk or, when there is none, the end of the build (`_publish_if_done`): two last chunks that commit
        # at once do not see each other's end here.
        enqueue(SCORE_CHUNK, tenant_id=build.tenant_id, build_id=build.pk)


def _note_fallbacks(build: Build, work: Work) -> None:
    """The statistics, last of all rows: a tenant's chunks share them, and wait for each other from here on."""
    if "ai_meant" in work.outcomes:
        fallback_stats.record_lists(
            tenant_id=build.tenant_id,
            now=clock.database_now(),
            meant=work.outcomes["ai_meant"],
            fallbacks=work.outcomes["ai_fallbacks"],
            skipped=work.outcomes["ai_skipped"],
        )


def _publish_if_done(tenant_id: int, build_id: int) -> None:
    with scope.tenant(tenant_id):
        scored = Build.objects.filter(
            leases.free(),
            ~Exists(claims.pending_chunks()),
            tenant_id=tenant_id,
            pk=build_id,
            status=Build.Status.SCORING,
        )
        if scored.exists():
            enqueue(PUBLISH, tenant_id=tenant_id, build_id=build_id)
