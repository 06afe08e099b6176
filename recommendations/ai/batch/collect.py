"""Last step of a batch: validate its answers, cache them, and write one ledger row each."""

from datetime import UTC, datetime

from recommendations.ai.batch.context import BatchContext, Result, StepDeadline, finish_batch, load_questions
from recommendations.ai.batch.jsonl import read_answer, read_output
from recommendations.ai.batch.queue import deserialize_request
from recommendations.ai.batch_protocol import BatchJob
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIBatch, AICall
from recommendations.ai.protocol import Completion, CompletionRequest, Usage


def collect_answers(
    context: BatchContext, batch: AIBatch, job: BatchJob, now: datetime, deadline: StepDeadline
) -> None:
    """Cache every valid answer under its question's digest and finish the batch; unanswered questions cost nothing.

    Raises:
        ProviderError: the file could not be read.
    """
    output = b""
    if job.output_file:
        output = context.batches.read(job.output_file, deadline_seconds=deadline.remaining())
    bodies = dict(read_output(output))
    calls, answers = [], 0
    for row in load_questions(batch):
        if row.digest not in bodies:
            continue
        request = deserialize_request(row.request, subject=row.subject)
        completion, usage = read_answer(bodies[row.digest], request, bound=context.provider.max_output_tokens)
        calls.append(_ledger_row(context, batch, request, completion, usage, now))
        if completion is not None:
            answers += 1
            response_cache.store(
                tenant_id=batch.tenant_id,
                digest=row.digest,
                subject=row.subject,
                request=request,
                model=context.provider.model,
                content=completion.content,
                now=now,
            )
    result = _result(job, answers=answers, questions=batch.questions)
    finish_batch(context, batch, result, now, calls=calls, answers=answers, error=job.error)


def _result(job: BatchJob, *, answers: int, questions: int) -> Result:
    if answers:
        return Result.ANSWERED if answers == questions else Result.PARTLY
    return Result.EXPIRED if job.status in {"expired", "cancelled", "cancelling"} else Result.FAILED


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
