"""Runs batches through the vendor's batch interface: half the price, answers within a day, no caller waits.

The rows are the state machine (`models.batch`):

1. `create_batches` groups queued questions (`queue`) into batches.
2. Waiting: reserve the maximum cost and submit (`submit`).
3. Submitted: poll until the vendor is done; cancel at the batch's deadline.
4. Collect: validate and cache the answers, write the ledger (`collect`).

Every call passes the circuit breaker and the rate limiter (`guarded_client`); a deferred call is not an attempt and is
retried a minute later. The build that follows (`pipeline.builds.ai_batches`) asks unanswered questions one by one.
"""

from datetime import datetime, timedelta

from accounts.tenancy import scope
from recommendations.ai.batch.collect import collect_answers
from recommendations.ai.batch.context import (
    GRACE,
    POLL_INTERVAL,
    BatchContext,
    Result,
    State,
    StepDeadline,
    finish_batch,
    reschedule,
)
from recommendations.ai.batch.guarded_client import CallDeferred
from recommendations.ai.batch.submit import submit_batch
from recommendations.ai.models import AIBatch, AIBatchQuestion
from recommendations.ai.protocol import ProviderError

BATCH_SIZE = 500
COMPLETION_WINDOW = timedelta(hours=24)
STEP_SECONDS = 120.0
LEASE = timedelta(minutes=3)
MAX_ATTEMPTS = 5


def create_batches(*, tenant_id: int, build_id: int, model: str, now: datetime) -> int:
    """Group a build's queued questions into batches; return the number of batches."""
    created = 0
    while True:
        with scope.tenant(tenant_id):
            queued = AIBatchQuestion.objects.filter(tenant_id=tenant_id, build_id=build_id, batch=None)
            pks = list(queued.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE])
            if not pks:
                return created
            batch = AIBatch.objects.create(
                tenant_id=tenant_id,
                build_id=build_id,
                model=model,
                questions=len(pks),
                created_at=now,
                deadline_at=now + COMPLETION_WINDOW + GRACE,
                next_at=now,
            )
            AIBatchQuestion.objects.filter(pk__in=pks, batch=None).update(batch=batch)
        created += 1


def due_batches(*, now: datetime) -> list[tuple[int, int]]:
    """Return (tenant id, batch id) of up to 100 batches whose next step is due."""
    with scope.all_tenants("AI batches that are due"):
        rows = AIBatch.objects.exclude(state=State.DONE).filter(next_at__lte=now).order_by("next_at")
        return list(rows.values_list("tenant_id", "pk")[:100])


def advance_batch(
    context: BatchContext, *, tenant_id: int, batch_id: int, now: datetime, seconds: float = STEP_SECONDS
) -> None:
    """Run a batch's next step, unless another process has claimed it; its calls take at most `seconds` together."""
    with scope.tenant(tenant_id):
        due = AIBatch.objects.filter(tenant_id=tenant_id, pk=batch_id, next_at__lte=now).exclude(state=State.DONE)
        if not due.update(next_at=now + LEASE):
            return
        batch = AIBatch.objects.get(tenant_id=tenant_id, pk=batch_id)
    deadline = StepDeadline(seconds)
    try:
        context.batches.check()
        if batch.state == State.WAITING:
            submit_batch(context, batch, now, deadline)
        else:
            _poll(context, batch, now, deadline)
    except ProviderError as error:
        _retry_or_finish(context, batch, error, now)


def _poll(context: BatchContext, batch: AIBatch, now: datetime, deadline: StepDeadline) -> None:
    job = context.batches.poll(batch.vendor_id, deadline_seconds=deadline.remaining())
    patience = batch.deadline_at
    if not job.final and now >= batch.deadline_at:
        job = context.batches.cancel(batch.vendor_id, deadline_seconds=deadline.remaining())
        patience += GRACE
    if not job.final and now < patience:
        reschedule(batch, now + POLL_INTERVAL)
    else:
        collect_answers(context, batch, job, now, deadline)


def _retry_or_finish(context: BatchContext, batch: AIBatch, error: ProviderError, now: datetime) -> None:
    """Reschedule the step; finish a batch that cannot be submitted or is past its grace period."""
    deferred = isinstance(error, CallDeferred)
    expired = now >= batch.deadline_at + GRACE
    hopeless = batch.state == State.WAITING and not deferred and (error.permanent or batch.attempts + 1 >= MAX_ATTEMPTS)
    if expired or hopeless:
        finish_batch(context, batch, Result.EXPIRED if expired else Result.FAILED, now, error=str(error))
        return
    if deferred:
        with scope.tenant(batch.tenant_id):
            # This attempt submitted nothing: `begin` is a submission's last call.
            AIBatch.objects.filter(pk=batch.pk, state=State.WAITING).update(attempts=batch.attempts)
        reschedule(batch, now + POLL_INTERVAL, error=str(error))
        return
    wait = max(timedelta(seconds=error.retry_after or 0.0), POLL_INTERVAL * 2 ** min(batch.attempts, 5))
    reschedule(batch, now + wait, error=str(error))
