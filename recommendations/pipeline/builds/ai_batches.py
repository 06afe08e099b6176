"""Nightly builds that use the provider's batch API: lists without AI first, a build with the answers later.

A nightly build queues its questions and publishes the model's lists. When all of its batches have ended, a build with
the same artefact follows: answered questions cost nothing now, and the others are asked in the usual way, under the
usual budget, and counted as fallbacks if that fails too. There is no follow-up if a newer build has been started.
"""

import time
from contextlib import suppress
from datetime import datetime

import structlog
from django.db.models import Exists, OuterRef

from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.ai.batch import jobs
from recommendations.ai.batch.context import BatchContext
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.factory import build_batch_context
from recommendations.ai.models import AIBatch, AIBatchQuestion
from recommendations.pipeline.builds.lifecycle import start_unless_running
from recommendations.pipeline.models import Build

FOLLOW_UP = "batch answers"
# The time that one task spends on batches; the next task, a minute later, continues. One step may exceed it.
TASK_SECONDS = 45.0
_log = structlog.get_logger(__name__)


def step(config: AIConfiguration, *, now: datetime) -> None:
    """Creates batches of queued questions, advances batches, and starts follow-up builds. Safe to run concurrently."""
    if not config.configured:
        return
    for tenant_id, build_id in _builds_with_questions():
        jobs.create_batches(tenant_id=tenant_id, build_id=build_id, model=config.model, now=now)
    if due := jobs.due_batches(now=now):
        context = build_batch_context(config, today=now.date())
        try:
            ends = time.monotonic() + TASK_SECONDS
            for tenant_id, batch_id in due:
                if time.monotonic() >= ends:
                    break  # the others are still due, and first in the next minute
                _advance(context, tenant_id, batch_id, now)
        finally:
            context.close()
    for tenant_id, build_id in _builds_with_answers():
        _start_follow_up(tenant_id, build_id, now)


def _advance(context: BatchContext, tenant_id: int, batch_id: int, now: datetime) -> None:
    try:
        jobs.advance_batch(context, tenant_id=tenant_id, batch_id=batch_id, now=now)
    except Exception:  # noqa: BLE001  # logged; one tenant's batch must not delay the others'
        _log.exception("ai_batch_broke", batch=batch_id)


def _builds_with_questions() -> list[tuple[int, int]]:
    """Published builds with questions that are in no batch yet; questions of failed builds are deleted."""
    with scope.all_tenants("AI questions that wait for a batch"):
        unbatched = AIBatchQuestion.objects.filter(batch=None)
        pairs = set(unbatched.values_list("tenant_id", "build_id"))
        if not pairs:
            return []
        status = dict(Build.objects.filter(pk__in=[pk for _, pk in pairs]).values_list("pk", "status"))
        failed = [pk for _, pk in pairs if status.get(pk, Build.Status.FAILED) == Build.Status.FAILED]
        unbatched.filter(build_id__in=failed).delete()
    return sorted(pair for pair in pairs if status.get(pair[1]) == Build.Status.PUBLISHED)


def _builds_with_answers() -> list[tuple[int, int]]:
    """Builds without a follow-up, all of whose batches have ended."""
    with scope.all_tenants("AI batches that have ended"):
        done = AIBatch.objects.filter(state=AIBatch.State.DONE, followed_at=None)
        open_ones = AIBatch.objects.filter(build_id=OuterRef("build_id")).exclude(state=AIBatch.State.DONE)
        pairs = done.filter(~Exists(open_ones)).values_list("tenant_id", "build_id")
        return sorted(set(pairs))


def _start_follow_up(tenant_id: int, build_id: int, now: datetime) -> None:
    with scope.tenant(tenant_id):
        build = Build.objects.filter(tenant_id=tenant_id, pk=build_id).first()
        newer = Build.objects.filter(tenant_id=tenant_id, pk__gt=build_id, ai_calls_limit__gt=0).exclude(
            status=Build.Status.FAILED
        )
        wanted = build is not None and not newer.exists()
    if wanted and build is not None:
        with suppress(NotFound):  # the tenant is no longer active
            if not start_unless_running(tenant_id=tenant_id, reason=FOLLOW_UP, now=now, artefact_id=build.artefact_id):
                return
    with scope.tenant(tenant_id):
        AIBatch.objects.filter(tenant_id=tenant_id, build_id=build_id, followed_at=None).update(followed_at=now)
