"""First step of a batch: reserve its maximum cost, log its questions, upload and submit them."""

from datetime import datetime

from django.db.models import F

from accounts.tenancy import scope
from recommendations.ai.batch.context import (
    GRACE,
    POLL_INTERVAL,
    BatchContext,
    Result,
    State,
    StepDeadline,
    finish_batch,
    load_questions,
)
from recommendations.ai.batch.jsonl import request_line
from recommendations.ai.batch.queue import deserialize_request
from recommendations.ai.batch_protocol import BatchJob
from recommendations.ai.budget.reservations import BudgetExhausted
from recommendations.ai.models import AIBatch, AIBatchQuestion
from recommendations.ai.money import Amount
from recommendations.ai.privacy import request_log
from recommendations.ai.privacy.consent import sharing_consent
from recommendations.ai.protocol import CompletionRequest, Usage
from recommendations.ai.providers.tokens import input_bound


def submit_batch(context: BatchContext, batch: AIBatch, now: datetime, deadline: StepDeadline) -> None:
    """Submit a waiting batch, or finish it where it has no questions, no consent or no budget.

    Raises:
        ProviderError: a call failed or was not made.
    """
    questions = load_questions(batch)
    if not questions or not sharing_consent(batch.tenant_id).enabled:
        error = "nothing is left to ask, or the tenant has switched AI off"
        finish_batch(context, batch, Result.FAILED, now, error=error)
        return
    requests = [deserialize_request(row.request, subject=row.subject) for row in questions]
    if batch.reservation is None and not _reserve(context, batch, requests, now):
        return
    with scope.tenant(batch.tenant_id):
        AIBatch.objects.filter(pk=batch.pk).update(attempts=F("attempts") + 1)
    # A process may have died after submitting: the batch is then found under its key.
    key = str(batch.key)
    job = context.batches.find(key, deadline_seconds=deadline.remaining()) if batch.attempts else None
    if job is None:
        job = _upload_and_begin(context, batch, questions, requests, now, deadline)
    with scope.tenant(batch.tenant_id):
        AIBatch.objects.filter(pk=batch.pk, state=State.WAITING).update(
            state=State.SUBMITTED, vendor_id=job.id, submitted_at=now, next_at=now + POLL_INTERVAL, error=""
        )


def _upload_and_begin(
    context: BatchContext,
    batch: AIBatch,
    questions: list[AIBatchQuestion],
    requests: list[CompletionRequest],
    now: datetime,
    deadline: StepDeadline,
) -> BatchJob:
    model = context.provider.model
    for request in requests:
        request_log.record_request(
            tenant_id=batch.tenant_id, request=request, model=model, origin=context.origin, now=now
        )
    pairs = zip(questions, requests, strict=True)
    lines = b"\n".join(request_line(row.digest, context.provider.body(request)) for row, request in pairs)
    key = str(batch.key)
    file_id = context.batches.upload(lines, key=key, deadline_seconds=deadline.remaining())
    return context.batches.begin(file_id, key=key, deadline_seconds=deadline.remaining())


def _reserve(context: BatchContext, batch: AIBatch, requests: list[CompletionRequest], now: datetime) -> bool:
    """Reserve the maximum cost; finish the batch and return False where the budget has no room."""
    output_tokens = context.provider.max_output_tokens
    bounds = [input_bound(request) for request in requests]
    amount = Amount(
        tokens=sum(bounds) + output_tokens * len(bounds),
        nano_usd=sum(
            context.price.batch_cost(Usage(input_tokens=bound, output_tokens=output_tokens)) for bound in bounds
        ),
    )
    try:
        reservation = context.budget.reserve(
            tenant_id=batch.tenant_id,
            amount=amount,
            now=now,
            deadline_seconds=(batch.deadline_at + 2 * GRACE - now).total_seconds(),
        )
    except BudgetExhausted as error:
        finish_batch(context, batch, Result.BUDGET, now, error=str(error))
        return False
    batch.reservation, batch.day = reservation.id, reservation.day
    batch.reserved_tokens, batch.reserved_nano_usd = amount.tokens, amount.nano_usd
    with scope.tenant(batch.tenant_id):
        batch.save(update_fields=["reservation", "day", "reserved_tokens", "reserved_nano_usd"])
    return True
