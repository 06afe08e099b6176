"""Answers that were paid for once, by the digest of all that went into the question."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from accounts.tenancy import scope
from core.postgres.batches import delete_in_batches
from recommendations.ai.models import AIAnswer
from recommendations.ai.protocol import CompletionRequest
from recommendations.ai.reranking.rerank import subject_digest

PURGE_BATCH = 5000


def request_digest(request: CompletionRequest, *, model: str, origin: str) -> str:
    """Return the digest of a question to a model; ``origin`` keeps simulated and real answers apart.

    History, candidates with their facts, person's attributes, language and the instructions are in the messages.
    """
    messages = [[each.role, each.content] for each in request.messages]
    parts = [origin, model, request.purpose, request.prompt_version, messages, dict(request.schema)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def user_key(*, tenant_id: int, person: int) -> str:
    """Return how requests name a person, by the primary key of their row; the vendor never sees it."""
    return f"{tenant_id}:{person}"


def load(*, tenant_id: int, digest: str) -> Mapping[str, Any] | None:
    """Return the stored content, or None."""
    with scope.tenant(tenant_id):
        found = AIAnswer.objects.filter(tenant_id=tenant_id, digest=digest).values_list("content", flat=True).first()
    return found if isinstance(found, dict) else None


def store(
    *,
    tenant_id: int,
    digest: str,
    subject: str,
    request: CompletionRequest,
    model: str,
    content: Mapping[str, Any],
    now: datetime,
) -> None:
    """Store an answer that passed its checks; of two at once the first stays."""
    answer = AIAnswer(
        tenant_id=tenant_id,
        digest=digest,
        subject=subject,
        model=model,
        prompt_version=request.prompt_version,
        content=dict(content),
        created_at=now,
    )
    with scope.tenant(tenant_id):
        AIAnswer.objects.bulk_create([answer], ignore_conflicts=True)


def delete_for_user(*, tenant_id: int, user_key: str) -> int:
    """Delete the answers about a person; returns how many."""
    with scope.tenant(tenant_id):
        deleted, _ = AIAnswer.objects.filter(tenant_id=tenant_id, subject=subject_digest(user_key)).delete()
    return deleted


def purge_tenant(*, tenant_id: int, before: datetime) -> int:
    """Delete a tenant's answers from before a moment, at most a batch; returns how many."""
    old = AIAnswer.objects.filter(tenant_id=tenant_id, created_at__lt=before).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.tenant, tenant_id), batch_rows=PURGE_BATCH, max_batches=1)


def purge(*, now: datetime, keep_days: int) -> int:
    """Delete answers older than ``keep_days`` in batches; returns how many."""
    old = AIAnswer.objects.filter(created_at__lt=now - timedelta(days=keep_days)).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.all_tenants, "AI answers: retention"))
