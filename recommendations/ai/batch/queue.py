"""The queue of questions for a batch. It imports no vendor SDK: web processes delete a user's questions from it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.tenancy import scope
from recommendations.ai.models import AIBatchQuestion
from recommendations.ai.protocol import CompletionRequest, Message


def enqueue_question(*, tenant_id: int, build_id: int, digest: str, request: CompletionRequest, now: datetime) -> None:
    """Queue a question for the next batch; a question with the same digest is left unchanged."""
    row = AIBatchQuestion(
        tenant_id=tenant_id,
        build_id=build_id,
        digest=digest,
        subject=request.subject,
        request=serialize_request(request),
        created_at=now,
    )
    with scope.tenant(tenant_id):
        AIBatchQuestion.objects.bulk_create([row], ignore_conflicts=True)


def pending_questions(*, tenant_id: int, subject: str) -> list[dict[str, Any]]:
    """Return the unanswered questions about a user. Call it in the tenant's scope."""
    rows = AIBatchQuestion.objects.filter(tenant_id=tenant_id, subject=subject).order_by("pk")
    return [dict(row) for row in rows.values("created_at", "request")]


def delete_for_user(*, tenant_id: int, subject: str) -> int:
    """Delete the unanswered questions about a user; return their number."""
    with scope.tenant(tenant_id):
        deleted, _ = AIBatchQuestion.objects.filter(tenant_id=tenant_id, subject=subject).delete()
    return deleted


def serialize_request(request: CompletionRequest) -> dict[str, Any]:
    """Return a request as a row stores it."""
    return {
        "purpose": request.purpose,
        "messages": [[message.role, message.content] for message in request.messages],
        "schema_name": request.schema_name,
        "schema": dict(request.schema),
        "prompt_version": request.prompt_version,
        "contents": dict(request.contents),
    }


def deserialize_request(stored: Mapping[str, Any], *, subject: str) -> CompletionRequest:
    """Return the request that `serialize_request` stored."""
    return CompletionRequest(
        purpose=stored["purpose"],
        messages=tuple(Message(role=role, content=content) for role, content in stored["messages"]),
        schema_name=stored["schema_name"],
        schema=stored["schema"],
        prompt_version=stored["prompt_version"],
        subject=subject,
        contents=stored["contents"],
    )
