"""Nightly builds that ask AI through the batch interface: first lists without it, a build with the answers later.

A nightly build lets its questions wait and publishes the model's lists. When all of its batches have ended, a build
over the same artefact follows: what was answered costs nothing now, and who was not answered is asked in the usual way,
under the usual budget, and counted as a fallback where that fails too. A newer build has taken that part already.
"""

import time
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
from recommendations.pipeline.builds.lifecycle import BuildRunning, start
from recommendations.pipeline.models import Build

FOLLOWS = "batch answers"
LOOKING_SECONDS = 45.0
"""Of one task are spent on batches before it leaves the rest to the next, a minute later; one step may overrun it."""
_log = structlog.get_logger(__name__)


def step(config: AIConfiguration, *, now: datetime) -> None:
    """Does what is due: gather questions, look at batches, start the builds that follow. Safe twice at once."""
    if not config.configured:
        return
    for tenant_id, build_id in _waiting():
        jobs.create_batches(tenant_id=tenant_id, build_id=build_id, model=config.model, now=now)
    if due := jobs.due_batches(now=now):
        context = build_batch_context(config, today=now.date())
        try:
            ends = time.monotonic() + LOOKING_SECONDS
            for tenant_id, batch_id in due:
                if time.monotonic() >= ends:
                    break  # the others are due still, and first in the next minute's line
                _advance(context, tenant_id, batch_id, now)
        finally:
            context.close()
    for tenant_id, build_id in _ended():
        _follow(tenant_id, build_id, now)


def _advance(context: BatchContext, tenant_id: int, batch_id: int, now: datetime) -> None:
    try:
        jobs.advance_batch(context, tenant_id=tenant_id, batch_id=batch_id, now=now)
    except Exception:  # noqa: BLE001  # logged; one tenant's batch must not keep the others' waiting
        _log.exception("ai_batch_broke", batch=batch_id)


def _waiting() -> list[tuple[int, int]]:
    """Builds that have ended with questions in no batch yet; those of builds that failed are dropped."""
    with scope.all_tenants("AI questions that wait for a batch"):
        loose = AIBatchQuestion.objects.filter(batch=None)
        found = set(loose.values_list("tenant_id", "build_id"))
        if not found:
            return []
        status = dict(Build.objects.filter(pk__in=[pk for _, pk in found]).values_list("pk", "status"))
        dead = [pk for _, pk in found if status.get(pk, Build.Status.FAILED) == Build.Status.FAILED]
        loose.filter(build_id__in=dead).delete()
    return sorted(pair for pair in found if status.get(pair[1]) == Build.Status.PUBLISHED)


def _ended() -> list[tuple[int, int]]:
    """Builds all of whose batches have ended, and that no build has followed yet."""
    with scope.all_tenants("AI batches that have ended"):
        done = AIBatch.objects.filter(state=AIBatch.State.DONE, followed_at=None)
        open_ones = AIBatch.objects.filter(build_id=OuterRef("build_id")).exclude(state=AIBatch.State.DONE)
        pairs = done.filter(~Exists(open_ones)).values_list("tenant_id", "build_id")
        return sorted(set(pairs))


def _follow(tenant_id: int, build_id: int, now: datetime) -> None:
    with scope.tenant(tenant_id):
        build = Build.objects.filter(tenant_id=tenant_id, pk=build_id).first()
        overtaken = Build.objects.filter(tenant_id=tenant_id, pk__gt=build_id, ai_calls_limit__gt=0).exclude(
            status=Build.Status.FAILED
        )
        wanted = build is not None and not overtaken.exists()
    if wanted and build is not None:
        try:
            start(tenant_id=tenant_id, reason=FOLLOWS, now=now, artefact_id=build.artefact_id)
        except BuildRunning:
            return
        except NotFound:
            pass  # the tenant is not active any more
    with scope.tenant(tenant_id):
        AIBatch.objects.filter(tenant_id=tenant_id, build_id=build_id, followed_at=None).update(followed_at=now)
