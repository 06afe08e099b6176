"""Resumes builds that stopped because of a lost message or a dead worker, as their rows say.

A dead worker leaves a lease that expires: its work is enqueued again at once. Work that was never begun, or whose
messages were lost, is enqueued again after a while. Extra messages do no harm: one that finds nothing to do ends. A
step that was begun MAX_ATTEMPTS times and never finished fails the build, and the old snapshot continues to serve; only
a build whose lists serve already is finished however many attempts it takes.
"""

from datetime import datetime

import structlog
from django.db.models import Q
from django.db.models.functions import Now

from accounts.tenancy import scope
from core import clock, leases
from core.leases import MAX_ATTEMPTS
from core.queue import enqueue
from recommendations.pipeline.builds import lifecycle
from recommendations.pipeline.models import Build, Chunk
from recommendations.pipeline.task_names import PUBLISH, SCORE_CHUNK, TRAIN

_log = structlog.get_logger(__name__)


def resume_builds() -> int:
    """Enqueues due work of all running builds again; returns the number of builds that had any."""
    with scope.all_tenants("resume builds"):
        running = list(Build.objects.filter(status__in=Build.RUNNING).order_by("pk").values_list("tenant_id", "pk"))
    return sum(resume(tenant_id=tenant_id, build_id=build_id) for tenant_id, build_id in running)


def resume(*, tenant_id: int, build_id: int) -> bool:
    """Enqueues due work of one build again, or fails the build; False if nothing was to do."""
    with scope.tenant(tenant_id):
        locked = Build.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        build = locked.filter(tenant_id=tenant_id, pk=build_id, status__in=Build.RUNNING).first()
        if build is None:
            return False
        now = clock.database_now()
        if build.status == Build.Status.SCORING:
            exhausted = _has_exhausted_chunk(build, now)
            due = None if exhausted else _due_in_scoring(build, now)
        else:
            exhausted = build.status == Build.Status.TRAINING and _is_exhausted(build, now)
            due = None if exhausted else _due_step(build, now)
        if due:
            task, times = due
            Build.objects.filter(tenant_id=tenant_id, pk=build_id).update(enqueued_at=Now())
            for _ in range(times):
                enqueue(task, tenant_id=tenant_id, build_id=build_id)
            _log.info("build_resumed", build_id=build_id, status=build.status, messages=times)
    if exhausted:
        error = leases.exhausted(f"The step '{build.status}'", build.error)
        lifecycle.fail(tenant_id=tenant_id, build_id=build_id, error=error)
    return bool(due) or exhausted


def _due_step(build: Build, now: datetime) -> tuple[str, int] | None:
    task = PUBLISH if build.status == Build.Status.PUBLISHING else TRAIN
    return (task, 1) if _abandoned(build, now) or (_is_free(build, now) and _overdue(build, now)) else None


def _due_in_scoring(build: Build, now: datetime) -> tuple[str, int] | None:
    pending = Chunk.objects.filter(tenant_id=build.tenant_id, build_id=build.pk, status=Chunk.Status.PENDING)
    if not pending.exists():
        return _due_publish(build, now)
    in_progress = pending.filter(lease_until__gte=now).exists()
    # The workers of these chunks died, and with them the messages.
    abandoned = pending.filter(lease_until__lt=now).update(lease_until=None, lease_token=None)
    if abandoned:
        return SCORE_CHUNK, min(abandoned, lifecycle.LANES)
    if not in_progress and _overdue(build, now):
        return SCORE_CHUNK, lifecycle.LANES
    return None


def _due_publish(build: Build, now: datetime) -> tuple[str, int] | None:
    last = Chunk.objects.filter(tenant_id=build.tenant_id, build_id=build.pk).order_by("-done_at").first()
    overdue = last is None or leases.is_overdue(enqueued_at=last.done_at, started_at=build.started_at, now=now)
    if _abandoned(build, now) or (_is_free(build, now) and overdue and _overdue(build, now)):
        return PUBLISH, 1
    return None


def _has_exhausted_chunk(build: Build, now: datetime) -> bool:
    """Tell whether a chunk, or the publish step, was begun too often."""
    chunks = Chunk.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now),
        tenant_id=build.tenant_id,
        build_id=build.pk,
        status=Chunk.Status.PENDING,
        attempts__gte=MAX_ATTEMPTS,
    )
    return chunks.exists() or _is_exhausted(build, now)


def _is_exhausted(build: Build, now: datetime) -> bool:
    return build.attempts >= MAX_ATTEMPTS and _is_free(build, now)


def _is_free(build: Build, now: datetime) -> bool:
    return build.lease_until is None or build.lease_until < now


def _abandoned(build: Build, now: datetime) -> bool:
    """Tell whether a worker began the step and stopped renewing its lease, or released it after an error."""
    return _is_free(build, now) and (build.lease_until is not None or bool(build.error))


def _overdue(build: Build, now: datetime) -> bool:
    return leases.is_overdue(enqueued_at=build.enqueued_at, started_at=build.started_at, now=now)
