"""Deletion of expired data of each tenant: events, AI records, imports and stored responses."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from accounts.models import Tenant
from accounts.tenancy import scope
from accounts.tenancy.retention_periods import retention_periods
from core.idempotency.cleanup import erase
from core.idempotency.models import IdempotencyKey
from core.queue import enqueue
from recommendations.ai.gateway import response_cache
from recommendations.ai.privacy import request_log
from recommendations.imports import file_retention as imports
from recommendations.interactions import cleanup as events
from recommendations.privacy.task_names import PRUNE_TENANT

# Per run: 500,000 events. The following runs delete the rest.
MAX_BATCHES = 100
MAX_ANSWERS = 5_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeletedCounts:
    """Numbers of deleted rows."""

    events: int
    ai_records: int
    imports: int
    stored_answers: int


def enqueue_all() -> int:
    """Enqueues the deletion for every tenant, also inactive ones; returns the number of tenants."""
    with scope.all_tenants("retention: which tenants there are"):
        tenant_ids = list(Tenant.objects.order_by("pk").values_list("pk", flat=True))
    for tenant_id in tenant_ids:
        enqueue(PRUNE_TENANT, tenant_id=tenant_id)
    return len(tenant_ids)


def delete_expired(*, tenant_id: int, now: datetime) -> DeletedCounts:
    """Deletes a bounded amount of expired data. Safe at any time, also concurrently."""
    kept = retention_periods(tenant_id)
    deleted = DeletedCounts(
        events=_delete_events(tenant_id, now - kept.events) if kept.events else 0,
        ai_records=_purge_ai(tenant_id, now - kept.ai_records) if kept.ai_records else 0,
        imports=imports.delete_expired(tenant_id=tenant_id, periods=kept, now=now),
        stored_answers=_empty_answers(tenant_id, now - kept.answers),
    )
    if any((deleted.events, deleted.ai_records, deleted.imports, deleted.stored_answers)):
        _log.info("retention_pruned", **{name: getattr(deleted, name) for name in DeletedCounts.__slots__})
    return deleted


def _delete_events(tenant_id: int, before: datetime) -> int:
    return events.delete_old_events(tenant_id=tenant_id, before=before, batches=MAX_BATCHES)


def _purge_ai(tenant_id: int, before: datetime) -> int:
    return response_cache.purge_tenant(tenant_id=tenant_id, before=before) + request_log.purge_tenant(
        tenant_id=tenant_id, before=before
    )


def _empty_answers(tenant_id: int, before: datetime) -> int:
    """Empties stored responses; their keys stay used for 24 hours, so that a late retry does not repeat the write."""
    with scope.tenant(tenant_id):
        old = IdempotencyKey.objects.filter(
            tenant_id=tenant_id, state=IdempotencyKey.State.DONE, created_at__lte=before
        )
        pks = list(old.order_by("pk").values_list("pk", flat=True)[:MAX_ANSWERS])
        return erase(IdempotencyKey.objects.filter(tenant_id=tenant_id, pk__in=pks))
