"""Questions asked through the vendor's batch interface: at the batch price, within a day, without anybody waiting.

The rows are the state machine (`models.batch`), each step is claimed by pushing `next_at` into the future, and what a
step did stands in one transaction with its money: killed anywhere, the next look goes on.

1. `gather` puts questions that wait (`batch_questions`) into batches.
2. *waiting*: reserve the most that it can cost, submit. A batch that was submitted by a process that died before it
   could say so is found again by its key.
3. *submitted*: look until it has ended or its time is over, then it is cancelled.
4. Collect: every answer is checked and kept where asking again finds it; the ledger has a row for each.

Every call passes the breaker and the rate limiter (`batch_gates`); what they put off is no attempt, and is tried again
a minute later. All calls of one step together have STEP_SECONDS.

Who was not answered is asked in the usual way by the build that follows (`precompute.batching`).
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import structlog
from django.db.models import F

from accounts.tenancy import scope
from core.quoting import quoted
from recommendations.ai.batch.guarded_client import CallDeferred, GuardedBatchProvider
from recommendations.ai.batch.jsonl import answers_of, line, read, restored
from recommendations.ai.batch_protocol import BatchJob
from recommendations.ai.budget.reservations import Budget, BudgetExhausted, Reservation
from recommendations.ai.config.prices import Price
from recommendations.ai.gateway import response_cache
from recommendations.ai.gateway.instrumentation import count_call
from recommendations.ai.models import AIBatch, AIBatchQuestion, AICall
from recommendations.ai.money import Amount
from recommendations.ai.privacy import request_log
from recommendations.ai.privacy.consent import sharing_consent
from recommendations.ai.protocol import Completion, CompletionRequest, ProviderError, Usage
from recommendations.ai.providers.openai_client import OpenAIProvider
from recommendations.ai.providers.tokens import input_bound

BATCH_SIZE = 500
WINDOW = timedelta(hours=24)
GRACE = timedelta(hours=1)
CALL_SECONDS = 60.0
STEP_SECONDS = 120.0
LEASE = timedelta(minutes=3)
POLL = timedelta(minutes=1)
ATTEMPTS = 5
_log = structlog.get_logger(__name__)
State: TypeAlias = AIBatch.State
Result: TypeAlias = AIBatch.Result


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext:
    """What handling batches takes."""

    batches: GuardedBatchProvider
    provider: OpenAIProvider
    budget: Budget
    price: Price
    origin: str

    def close(self) -> None:
        """Give connections back."""
        self.batches.close()
        self.provider.close()


def create_batches(*, tenant_id: int, build_id: int, model: str, now: datetime) -> int:
    """Put a build's waiting questions into batches; returns how many batches."""
    made = 0
    while True:
        with scope.tenant(tenant_id):
            waiting = AIBatchQuestion.objects.filter(tenant_id=tenant_id, build_id=build_id, batch=None)
            pks = list(waiting.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE])
            if not pks:
                return made
            batch = AIBatch.objects.create(
                tenant_id=tenant_id,
                build_id=build_id,
                model=model,
                questions=len(pks),
                created_at=now,
                deadline_at=now + WINDOW + GRACE,
                next_at=now,
            )
            AIBatchQuestion.objects.filter(pk__in=pks, batch=None).update(batch=batch)
        made += 1


def due_batches(*, now: datetime) -> list[tuple[int, int]]:
    """Return the batches to look at, as (tenant, batch)."""
    with scope.all_tenants("AI batches that are due"):
        rows = AIBatch.objects.exclude(state=State.DONE).filter(next_at__lte=now).order_by("next_at")
        return list(rows.values_list("tenant_id", "pk")[:100])


class StepDeadline:
    """What is left of a step's time for its next call."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def __call__(self) -> float:
        """Return the next call's deadline in seconds; 0 when the time is over."""
        return max(0.0, min(CALL_SECONDS, self._ends - time.monotonic()))


def advance_batch(
    context: BatchContext, *, tenant_id: int, batch_id: int, now: datetime, seconds: float = STEP_SECONDS
) -> None:
    """Take a batch one step further, unless somebody else does; at most so many ``seconds`` are spent on calls."""
    with scope.tenant(tenant_id):
        mine = AIBatch.objects.filter(tenant_id=tenant_id, pk=batch_id, next_at__lte=now).exclude(state=State.DONE)
        if not mine.update(next_at=now + LEASE):
            return
        batch = AIBatch.objects.get(tenant_id=tenant_id, pk=batch_id)
    left = StepDeadline(seconds)
    try:
        context.batches.check()
        if batch.state == State.WAITING:
            _submit(context, batch, now, left)
        else:
            _look(context, batch, now, left)
    except ProviderError as error:
        _failed(context, batch, error, now)


def _submit(context: BatchContext, batch: AIBatch, now: datetime, left: StepDeadline) -> None:
    questions = _questions(batch)
    if not questions or not sharing_consent(batch.tenant_id).enabled:
        _end(context, batch, Result.FAILED, now, error="nothing is left to ask, or the tenant has switched AI off")
        return
    requests = [restored(each.request, subject=each.subject) for each in questions]
    if batch.reservation is None and not _reserve(context, batch, requests, now):
        return
    key = str(batch.key)
    with scope.tenant(batch.tenant_id):
        AIBatch.objects.filter(pk=batch.pk).update(attempts=F("attempts") + 1)
    job = context.batches.find(key, deadline_seconds=left()) if batch.attempts else None
    if job is None:
        for request in requests:
            request_log.record_request(
                tenant_id=batch.tenant_id, request=request, model=context.provider.model, origin=context.origin, now=now
            )
        pairs = zip(questions, requests, strict=True)
        lines = b"\n".join(line(row.digest, context.provider.body(request)) for row, request in pairs)
        file = context.batches.upload(lines, key=key, deadline_seconds=left())
        job = context.batches.begin(file, key=key, deadline_seconds=left())
    with scope.tenant(batch.tenant_id):
        AIBatch.objects.filter(pk=batch.pk, state=State.WAITING).update(
            state=State.SUBMITTED, vendor_id=job.id, submitted_at=now, next_at=now + POLL, error=""
        )


def _look(context: BatchContext, batch: AIBatch, now: datetime, left: StepDeadline) -> None:
    job = context.batches.poll(batch.vendor_id, deadline_seconds=left())
    if not job.final and now >= batch.deadline_at:
        job = context.batches.cancel(batch.vendor_id, deadline_seconds=left())
        if not job.final and now < batch.deadline_at + GRACE:
            _again(batch, now + POLL)
            return
    elif not job.final:
        _again(batch, now + POLL)
        return
    _collect(context, batch, job, now, left)


def _collect(context: BatchContext, batch: AIBatch, job: BatchJob, now: datetime, left: StepDeadline) -> None:
    raw = context.batches.read(job.output_file, deadline_seconds=left()) if job.output_file else b""
    said = dict(answers_of(raw))
    calls, good = [], 0
    for row in _questions(batch):
        body = said.get(row.digest)
        if body is None:
            continue  # not answered, so not charged
        request = restored(row.request, subject=row.subject)
        completion, usage = read(body, request, bound=context.provider.max_output_tokens)
        calls.append(_ledger_row(context, batch, request, completion, usage, now))
        if completion is not None:
            good += 1
            response_cache.store(
                tenant_id=batch.tenant_id,
                digest=row.digest,
                subject=row.subject,
                request=request,
                model=context.provider.model,
                content=completion.content,
                now=now,
            )
    result = Result.ANSWERED if good == batch.questions else Result.PARTLY if good else _without_answers(job)
    _end(context, batch, result, now, calls=calls, good=good, error=job.error)


def _without_answers(job: BatchJob) -> Result:
    return Result.EXPIRED if job.status in {"expired", "cancelled", "cancelling"} else Result.FAILED


def _end(
    context: BatchContext,
    batch: AIBatch,
    result: Result,
    now: datetime,
    *,
    calls: Any = (),
    good: int = 0,
    error: str = "",
) -> None:
    """Settle and close, once."""

    def close() -> bool:
        rows = AIBatch.objects.filter(pk=batch.pk).exclude(state=State.DONE)
        closed = rows.update(state=State.DONE, result=result, answers=good, ended_at=now, error=quoted(error, 500))
        AIBatchQuestion.objects.filter(batch_id=batch.pk).delete()
        return bool(closed)

    if batch.reservation is None or batch.day is None:
        with scope.tenant(batch.tenant_id):
            close()
    else:
        held = Amount(tokens=batch.reserved_tokens, nano_usd=batch.reserved_nano_usd)
        reservation = Reservation(id=batch.reservation, tenant_id=batch.tenant_id, day=batch.day, amount=held)
        spent = Amount(
            tokens=sum(each.input_tokens + each.output_tokens for each in calls),
            nano_usd=sum(each.cost_nano_usd for each in calls),
        )
        if context.budget.settle_all(reservation, spent=spent, calls=list(calls), now=now, also=close):
            for each in calls:
                count_call(each)
    _log.info("ai_batch_ended", batch=batch.pk, result=str(result), answers=good, questions=batch.questions)


def _failed(context: BatchContext, batch: AIBatch, error: ProviderError, now: datetime) -> None:
    """Try again later; a batch that cannot be submitted, or has been silent beyond its time, ends."""
    put_off = isinstance(error, CallDeferred)
    over = now >= batch.deadline_at + GRACE
    hopeless = batch.state == State.WAITING and not put_off and (error.permanent or batch.attempts + 1 >= ATTEMPTS)
    if over or hopeless:
        _end(context, batch, Result.EXPIRED if over else Result.FAILED, now, error=str(error))
        return
    if put_off:
        with scope.tenant(batch.tenant_id):
            # Nothing was begun under this attempt: `begin` is the last call of a submission.
            AIBatch.objects.filter(pk=batch.pk, state=State.WAITING).update(attempts=batch.attempts)
        _again(batch, now + POLL, error=str(error))
        return
    wait = max(timedelta(seconds=error.retry_after or 0.0), POLL * 2 ** min(batch.attempts, 5))
    _again(batch, now + wait, error=str(error))


def _again(batch: AIBatch, at: datetime, *, error: str = "") -> None:
    with scope.tenant(batch.tenant_id):
        AIBatch.objects.filter(pk=batch.pk).exclude(state=State.DONE).update(next_at=at, error=quoted(error, 500))


def _reserve(context: BatchContext, batch: AIBatch, requests: list[CompletionRequest], now: datetime) -> bool:
    """Hold what the batch can cost at most; without room it ends at once."""
    answer = context.provider.max_output_tokens
    most = [input_bound(each) for each in requests]
    money = sum(context.price.batch_cost(Usage(input_tokens=each, output_tokens=answer)) for each in most)
    amount = Amount(tokens=sum(most) + answer * len(most), nano_usd=money)
    try:
        held = context.budget.reserve(
            tenant_id=batch.tenant_id,
            amount=amount,
            now=now,
            deadline_seconds=(batch.deadline_at + 2 * GRACE - now).total_seconds(),
        )
    except BudgetExhausted as refusal:
        _end(context, batch, Result.BUDGET, now, error=str(refusal))
        return False
    batch.reservation, batch.day = held.id, held.day
    batch.reserved_tokens, batch.reserved_nano_usd = amount.tokens, amount.nano_usd
    with scope.tenant(batch.tenant_id):
        batch.save(update_fields=["reservation", "day", "reserved_tokens", "reserved_nano_usd"])
    return True


def _questions(batch: AIBatch) -> list[AIBatchQuestion]:
    with scope.tenant(batch.tenant_id):
        return list(AIBatchQuestion.objects.filter(tenant_id=batch.tenant_id, batch_id=batch.pk).order_by("pk"))


def _ledger_row(
    context: BatchContext,
    batch: AIBatch,
    request: CompletionRequest,
    completion: Completion | None,
    usage: Usage,
    now: datetime,
) -> AICall:
    assert batch.day is not None
    return AICall(
        tenant_id=batch.tenant_id,
        day=batch.day,
        at=now,
        build_id=batch.build_id,
        purpose=f"{request.purpose}-batch",
        model=context.provider.model,
        prompt_version=request.prompt_version,
        outcome=AICall.Outcome.OK if completion else AICall.Outcome.INVALID,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        usage_reported=usage.reported,
        cost_nano_usd=context.price.batch_cost(usage),
        latency_ms=round((now.astimezone(UTC) - (batch.submitted_at or now)).total_seconds() * 1000),
        simulated=context.provider.simulated,
    )
