"""Questions that wait for a batch; apart from the batches themselves, so that web processes need no vendor's SDK."""

from datetime import datetime
from typing import Any

from accounts.tenancy import scope
from recommendations.ai.batch.jsonl import stored
from recommendations.ai.models import AIBatchQuestion
from recommendations.ai.protocol import CompletionRequest


def enqueue_question(*, tenant_id: int, build_id: int, digest: str, request: CompletionRequest, now: datetime) -> None:
    """Let a question wait for a batch; one that waits already stays as it is."""
    row = AIBatchQuestion(
        tenant_id=tenant_id,
        build_id=build_id,
        digest=digest,
        subject=request.subject,
        request=stored(request),
        created_at=now,
    )
    with scope.tenant(tenant_id):
        AIBatchQuestion.objects.bulk_create([row], ignore_conflicts=True)


def pending_questions(*, tenant_id: int, subject: str) -> list[dict[str, Any]]:
    """The questions about a person that wait or are under way. Call it in the tenant's scope."""
    found = AIBatchQuestion.objects.filter(tenant_id=tenant_id, subject=subject).order_by("pk")
    return [dict(row) for row in found.values("created_at", "request")]


def delete_for_user(*, tenant_id: int, subject: str) -> int:
    """Delete the questions about a person that wait or are under way; returns how many."""
    with scope.tenant(tenant_id):
        deleted, _ = AIBatchQuestion.objects.filter(tenant_id=tenant_id, subject=subject).delete()
    return deleted
