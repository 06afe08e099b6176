"""Redacted log of requests to the provider, written before each request is sent."""

import hashlib
from datetime import datetime, timedelta
from functools import partial

from accounts.tenancy import scope
from core.postgres.batches import delete_in_batches
from recommendations.ai.models import AISent
from recommendations.ai.protocol import CompletionRequest

PURGE_BATCH = 5000


def record_request(*, tenant_id: int, request: CompletionRequest, model: str, origin: str, now: datetime) -> None:
    """Log one request."""
    text = "\0".join(each.content for each in request.messages).encode()
    row = AISent(
        tenant_id=tenant_id,
        at=now,
        origin=origin[:200],
        model=model,
        purpose=request.purpose,
        prompt_version=request.prompt_version,
        subject=request.subject,
        digest=hashlib.sha256(text).hexdigest(),
        size_bytes=len(text),
        contents=dict(request.contents),
    )
    with scope.tenant(tenant_id):
        row.save(force_insert=True)


def delete_for_user(*, tenant_id: int, subject: str) -> int:
    """Delete the log rows about a user; return their number."""
    with scope.tenant(tenant_id):
        deleted, _ = AISent.objects.filter(tenant_id=tenant_id, subject=subject).delete()
    return deleted


def purge_tenant(*, tenant_id: int, before: datetime) -> int:
    """Delete at most one batch of a tenant's rows from before a moment; return their number."""
    old = AISent.objects.filter(tenant_id=tenant_id, at__lt=before).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.tenant, tenant_id), batch_rows=PURGE_BATCH, max_batches=1)


def purge(*, now: datetime, keep_days: int) -> int:
    """Delete rows older than `keep_days` in batches; return their number."""
    old = AISent.objects.filter(at__lt=now - timedelta(days=keep_days)).order_by("pk")
    return delete_in_batches(old, scope=partial(scope.all_tenants, "AI requests sent: retention"))
