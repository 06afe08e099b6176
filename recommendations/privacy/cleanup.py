"""What is past its time goes: each tenant's events, AI's answers, imports and stored answers."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from accounts.models import Tenant
from accounts.tenancy import retention, scope
from core.idempotency.cleanup import empty
from core.idempotency.models import IdempotencyKey
from core.queue import enqueue
from recommendations.ai.gateway import response_cache
from recommendations.ai.privacy import request_log
from recommendations.imports import file_retention as imports
from recommendations.interactions import cleanup as events
from recommendations.privacy.task_names import PRUNE_TENANT

# In one run: 500,000 events. What is more goes in the next hours.
MOST_BATCHES = 100
MOST_ANSWERS = 5_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much went."""

    events: int
    ai_records: int
    imports: int
    stored_answers: int


def prune_all() -> int:
    """Asks for every tenant, also those that are no longer active; returns how many."""
    with scope.all_tenants("retention: which tenants there are"):
        tenant_ids = list(Tenant.objects.order_by("pk").values_list("pk", flat=True))
    for tenant_id in tenant_ids:
        enqueue(PRUNE_TENANT, tenant_id=tenant_id)
    return len(tenant_ids)


def prune(*, tenant_id: int, now: datetime) -> Pruned:
    """Deletes what is past its time, a bounded part of it. Safe at any time, and twice at once."""
    kept = retention.retention_periods(tenant_id)
    pruned = Pruned(
        events=events.prune(tenant_id=tenant_id, before=now - kept.events, batches=MOST_BATCHES) if kept.events else 0,
        ai_records=_purge_ai(tenant_id, now - kept.ai_records) if kept.ai_records else 0,
        imports=imports.prune(tenant_id=tenant_id, periods=kept, now=now),
        stored_answers=_empty_answers(tenant_id, now - kept.answers),
    )
    if any((pruned.events, pruned.ai_records, pruned.imports, pruned.stored_answers)):
        _log.info("retention_pruned", **{name: getattr(pruned, name) for name in Pruned.__slots__})
    return pruned


def _purge_ai(tenant_id: int, before: datetime) -> int:
    return response_cache.purge_tenant(tenant_id=tenant_id, before=before) + request_log.purge_tenant(
        tenant_id=tenant_id, before=before
    )


def _empty_answers(tenant_id: int, before: datetime) -> int:
    """Empties answers; their keys stay used for their 24 hours, so that no late repetition runs the write again."""
    with scope.tenant(tenant_id):
        old = IdempotencyKey.objects.filter(
            tenant_id=tenant_id, state=IdempotencyKey.State.DONE, created_at__lte=before
        )
        pks = list(old.order_by("pk").values_list("pk", flat=True)[:MOST_ANSWERS])
        return empty(IdempotencyKey.objects.filter(tenant_id=tenant_id, pk__in=pks))
