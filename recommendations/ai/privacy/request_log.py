"""The log of what was sent to the provider: written before the request leaves, redacted, kept for some days."""

import hashlib
from datetime import datetime, timedelta

from accounts.tenancy import scope
from recommendations.ai.models import AISent
from recommendations.ai.protocol import CompletionRequest

PURGE_BATCH = 5000


def note(*, tenant_id: int, request: CompletionRequest, model: str, origin: str, now: datetime) -> None:
    """Write the row of one request."""
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


def forget(*, tenant_id: int, subject: str) -> int:
    """Delete the rows about a person; returns how many."""
    with scope.tenant(tenant_id):
        deleted, _ = AISent.objects.filter(tenant_id=tenant_id, subject=subject).delete()
    return deleted


def purge_tenant(*, tenant_id: int, before: datetime) -> int:
    """Delete a tenant's rows from before a moment, at most a batch; returns how many."""
    with scope.tenant(tenant_id):
        old = AISent.objects.filter(tenant_id=tenant_id, at__lt=before).order_by("pk")
        deleted, _ = AISent.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PURGE_BATCH])).delete()
    return deleted


def purge(*, now: datetime, keep_days: int) -> int:
    """Delete rows older than ``keep_days`` in batches; returns how many."""
    before, deleted = now - timedelta(days=keep_days), 0
    while True:
        with scope.all_tenants("AI requests sent: retention"):
            batch = AISent.objects.filter(at__lt=before).order_by("pk").values_list("pk", flat=True)[:PURGE_BATCH]
            count, _ = AISent.objects.filter(pk__in=list(batch)).delete()
        deleted += count
        if count < PURGE_BATCH:
            return deleted
