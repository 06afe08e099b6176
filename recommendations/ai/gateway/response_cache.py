"""Cache of paid answers, keyed by a digest of the whole question."""

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
    """Return a question's cache key; `origin` separates simulated from real answers.

    The messages hold history, candidates with their facts, the user's attributes, language and instructions.
    """
    messages = [[each.role, each.content] for each in request.messages]
    parts = [origin, model, request.purpose, request.prompt_version, messages, dict(request.schema)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def user_key(*, tenant_id: int, user_pk: int) -> str:
    """Return the key by which requests name a user; it is never sent to the vendor."""
    return f"{tenant_id}:{user_pk}"


def load(*, tenant_id: int, digest: str) -> Mapping[str, Any] | None:
    """Return the stored content, or None."""
    with scope.tenant(tenant_id):
        content = AIAnswer.objects.filter(tenant_id=tenant_id, digest=digest).values_list("content", flat=True).first()
    return content if isinstance(content, dict) else None


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
    """Cache a valid answer; of two at once the first one wins."""
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
    """Delete the cached answers about a user; return their number."""
    with scope.tenant(tenant_id):
        deleted, _ = AIAnswer.objects.filter(tenant_id=tenant_id, subject=subject_digest(user_key)).delete()
    return deleted


def purge_tenant(*, tenant_id: int, before: datetime) -> int:
    """Delete at most one batch of a tenant's answers from before a moment; return their number."""
    old = AIAnswer.objects.filter(tenant_id=tenant_id, created_at__lt=before).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.tenant, tenant_id), batch_rows=PURGE_BATCH, max_batches=1)


def purge(*, now: datetime, keep_days: int) -> int:
    """Delete answers older than `keep_days` in batches; return their number."""
    old = AIAnswer.objects.filter(created_at__lt=now - timedelta(days=keep_days)).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.all_tenants, "AI answers: retention"))
