"""Dependencies and transitions that all steps of a batch share.

Each step is claimed by pushing `next_at` into the future, and commits its result together with its money: a batch whose
process was killed anywhere is taken up at the next run.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from accounts.tenancy import scope
from core.quoting import quoted
from recommendations.ai.batch.guarded_client import GuardedBatchProvider
from recommendations.ai.budget.reservations import Budget, Reservation
from recommendations.ai.config.prices import Price
from recommendations.ai.gateway.instrumentation import count_call
from recommendations.ai.models import AIBatch, AIBatchQuestion, AICall
from recommendations.ai.money import Amount
from recommendations.ai.providers.openai_chat import OpenAIProvider

GRACE = timedelta(hours=1)
POLL_INTERVAL = timedelta(minutes=1)
CALL_SECONDS = 60.0
ERROR_LIMIT = 500
_log = structlog.get_logger(__name__)
State: TypeAlias = AIBatch.State
Result: TypeAlias = AIBatch.Result


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext:
    """Clients and limits for handling batches."""

    batches: GuardedBatchProvider
    provider: OpenAIProvider
    budget: Budget
    price: Price
    origin: str

    def close(self) -> None:
        """Close the connections."""
        self.batches.close()
        self.provider.close()


class StepDeadline:
    """The deadline that all calls of one step share."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the next call's deadline in seconds; 0 after the end."""
        return max(0.0, min(CALL_SECONDS, self._ends - time.monotonic()))


def load_questions(batch: AIBatch) -> list[AIBatchQuestion]:
    """Return the questions of a batch in the order of its file."""
    with scope.tenant(batch.tenant_id):
        return list(AIBatchQuestion.objects.filter(tenant_id=batch.tenant_id, batch_id=batch.pk).order_by("pk"))


def reschedule(batch: AIBatch, at: datetime, *, error: str = "") -> None:
    """Run the batch's next step at a later time."""
    with scope.tenant(batch.tenant_id):
        unfinished = AIBatch.objects.filter(pk=batch.pk).exclude(state=State.DONE)
        unfinished.update(next_at=at, error=quoted(error, ERROR_LIMIT))


def finish_batch(
    context: BatchContext,
    batch: AIBatch,
    result: Result,
    now: datetime,
    *,
    calls: Sequence[AICall] = (),
    answers: int = 0,
    error: str = "",
) -> None:
    """Close a batch, delete its questions and settle its reservation, in one transaction; does nothing twice."""

    def close() -> bool:
        rows = AIBatch.objects.filter(pk=batch.pk).exclude(state=State.DONE)
        closed = rows.update(
            state=State.DONE, result=result, answers=answers, ended_at=now, error=quoted(error, ERROR_LIMIT)
        )
        AIBatchQuestion.objects.filter(batch_id=batch.pk).delete()
        return bool(closed)

    if batch.reservation is None or batch.day is None:
        with scope.tenant(batch.tenant_id):
            close()
    else:
        reserved = Amount(tokens=batch.reserved_tokens, nano_usd=batch.reserved_nano_usd)
        reservation = Reservation(id=batch.reservation, tenant_id=batch.tenant_id, day=batch.day, amount=reserved)
        spent = Amount(
            tokens=sum(call.input_tokens + call.output_tokens for call in calls),
            nano_usd=sum(call.cost_nano_usd for call in calls),
        )
        if context.budget.settle_batch(reservation, spent=spent, calls=calls, now=now, close=close):
            for call in calls:
                count_call(call)
    _log.info("ai_batch_ended", batch=batch.pk, result=str(result), answers=answers, questions=batch.questions)
