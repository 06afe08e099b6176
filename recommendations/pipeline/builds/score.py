"""The second step of a build: scores one chunk of its lists, by one worker at a time and with one effect.

The rows and the end of the chunk are committed together, on condition that the lease is still held.
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
from recommendations.list_kinds import SIMILAR
from recommendations.metrics import AI_FALLBACKS, AI_SKIPPED, BUILD_LISTS, BUILD_SECONDS
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.builds import claims
from recommendations.pipeline.builds.metrics import AI_ELIGIBLE
from recommendations.pipeline.builds.publish import placements_of
from recommendations.pipeline.candidates import embedding_neighbours, list_writers
from recommendations.pipeline.lists import profiles, writer
from recommendations.pipeline.lists.entries import Draft, tenant_locale
from recommendations.pipeline.lists.writer import UserListRow
from recommendations.pipeline.llm.rerank import rerank_heads
from recommendations.pipeline.models import Build, Chunk, ReferenceList
from recommendations.pipeline.ranking import variants
from recommendations.pipeline.ranking.stored_form import encode_draft
from recommendations.pipeline.task_names import PUBLISH, SCORE_CHUNK
from recommendations.placements.models import Placement


@dataclass(slots=True)
class ChunkResult:
    """Rows that are not saved yet, and counts. `spare` rows are written only where there is no better one."""

    user_lists: list[UserListRow] = field(default_factory=list)
    reference_lists: list[ReferenceList] = field(default_factory=list)
    spare: list[ReferenceList] = field(default_factory=list)
    outcomes: dict[str, Any] = field(default_factory=dict)


def score_chunk(*, tenant_id: int, build_id: int) -> bool:
    """Scores the build's next free chunk and enqueues the one after it; False when there was none."""
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
        artefact = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
        loaded = live.with_fresh_items(artefact, tenant_id=tenant_id, build_id=build_id)
        result = _score(build, chunk, loaded, heartbeat)
        _save(lease, build, result)
    BUILD_SECONDS.labels(f"score_{chunk.kind}").observe(time.monotonic() - started)
    BUILD_LISTS.labels("users").inc(len(result.user_lists))
    BUILD_LISTS.labels("items").inc(len(result.reference_lists) + len(result.spare))
    AI_ELIGIBLE.inc(result.outcomes.get("ai_meant", 0))
    for reason, count in result.outcomes.get("ai_fallbacks", {}).items():
        AI_FALLBACKS.labels(reason).inc(count)
    for reason, count in result.outcomes.get("ai_skipped", {}).items():
        AI_SKIPPED.labels(reason).inc(count)
    return True


def _score(build: Build, chunk: Chunk, loaded: Loaded, heartbeat: Heartbeat) -> ChunkResult:
    locale = tenant_locale(build.tenant_id)
    if chunk.kind == Chunk.Kind.PEOPLE:
        return _user_lists(build, chunk, loaded, locale, heartbeat)
    now = clock.database_now()
    if chunk.kind == Chunk.Kind.SIMILAR:
        rows = list_writers.make_item_lists(build=build, chunk=chunk, loaded=loaded, now=now, locale=locale)
        # For an item without interactions, a list by embeddings is better than one by shared words: it stays, whichever
        # chunk comes first (recommendations.pipeline.candidates.embedding_neighbours).
        result = ChunkResult()
        for row in rows:
            is_spare = row.kind == SIMILAR.key and loaded.trained_index(row.subject) is None
            (result.spare if is_spare else result.reference_lists).append(row)
        return result
    if chunk.kind == Chunk.Kind.SEMANTIC:
        return ChunkResult(
            reference_lists=embedding_neighbours.make_lists(
                build=build, loaded=loaded, now=now, locale=locale, checkpoint=heartbeat.check
            )
        )
    rows = list_writers.make_shared_lists(build=build, loaded=loaded, version=1, now=now, locale=locale)
    return ChunkResult(reference_lists=rows)


def _user_lists(build: Build, chunk: Chunk, loaded: Loaded, locale: str, heartbeat: Heartbeat) -> ChunkResult:
    # Before the histories are read: events that arrive later may not be in the lists.
    now = clock.database_now()
    users = profiles.read_range(tenant_id=build.tenant_id, first=chunk.first, last=chunk.last)
    with scope.tenant(build.tenant_id):
        placements = list(placements_of(build).order_by("pk"))
    assignments = variants.load_assignments(
        tenant_id=build.tenant_id,
        placements=[placement.pk for placement in placements],
        versions=build.versions,
        loaded=loaded,
    )
    generated = variants.generate_by_variant(
        tenant_id=build.tenant_id,
        users=users,
        assignments=assignments,
        labels={pk: [each.label_of(user.user_id) for user in users] for pk, each in assignments.items()},
        texts=build.ai_calls_limit > 0,
        now=now,
        locale=locale,
    )
    heartbeat.check()
    outcomes = {"lists": Counter[str](), "ai_meant": 0, "ai_fallbacks": Counter[str](), "ai_skipped": Counter[str]()}
    result = ChunkResult(outcomes=outcomes)
    for placement in placements:
        assignment = assignments[placement.pk]
        reranked = rerank_heads(
            build=build,
            placement=placement,
            assignment=assignment,
            drafts=list(generated.drafts[placement.pk].values()),
            facts=generated.facts,
            tenant_locale=locale,
            checkpoint=heartbeat.check,
        )
        result.outcomes["ai_meant"] += reranked.eligible
        result.outcomes["ai_fallbacks"] += reranked.fallbacks
        result.outcomes["ai_skipped"] += reranked.skipped
        result.outcomes["lists"] += Counter(draft.source for draft in reranked.drafts)
        for draft in reranked.drafts:
            recipe = assignment.recipe_for(draft.arm)
            body = encode_draft(
                draft, recipe=recipe, generated=generated, build_id=build.pk, version=1, now=now, locale=locale
            )
            result.user_lists.append(_user_list(build, placement, draft, body, now))
    return result


def _user_list(build: Build, placement: Placement, draft: Draft, body: bytes, now: datetime) -> UserListRow:
    return UserListRow(
        build.tenant_id,
        build.pk,
        placement.pk,
        draft.user.pk,
        1,
        draft.source,
        draft.arm,
        body,
        now,
        draft.user.version,
    )


def _save(lease: Lease, build: Build, result: ChunkResult) -> None:
    """Commits the chunk's effect once.

    Raises:
        LeaseLost: Nothing is written.
    """
    with scope.tenant(build.tenant_id):
        # The condition first: a worker that lost the lease writes nothing, and of two that save only one passes it.
        lease.finish(
            status=Chunk.Status.DONE,
            lists=len(result.user_lists) + len(result.reference_lists) + len(result.spare),
            outcomes=result.outcomes,
            done_at=Now(),
        )
        writer.write_user_lists(result.user_lists)
        writer.write_reference_lists(result.reference_lists)
        writer.write_reference_lists(result.spare, replace=False)
        if "ai_meant" in result.outcomes:
            # Last of all rows: a tenant's chunks share the statistics, and wait for each other from here on.
            fallback_stats.record_lists(
                tenant_id=build.tenant_id,
                now=clock.database_now(),
                meant=result.outcomes["ai_meant"],
                fallbacks=result.outcomes["ai_fallbacks"],
                skipped=result.outcomes["ai_skipped"],
            )
        # Another chunk or, when there is none, the end of the build (`_publish_if_done`): two last chunks that commit
        # at once do not see each other's end here.
        enqueue(SCORE_CHUNK, tenant_id=build.tenant_id, build_id=build.pk)


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
