"""Re-enqueues users whose near-line task was lost, and re-sends withdrawals that Redis may have missed."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q

from accounts.tenancy import scope
from core.queue import enqueue
from core.redis import RedisUnavailable
from recommendations.cache import publish_availability, withdrawn_items
from recommendations.catalog import availability
from recommendations.catalog.models import EndUser, Item
from recommendations.interactions.task_names import RESCORE
from recommendations.placements.models import Placement

MAX_ITEMS = 10_000
REPEATED_FOR = timedelta(minutes=10)


def sweep(*, now: datetime) -> int:
    """Enqueues near line for each tenant with waiting users; returns the number of users.

    Users of a tenant without a snapshot wait for its first build.
    """
    active = Placement.objects.filter(tenant=OuterRef("tenant"), active_build__isnull=False)
    latest = now - timedelta(seconds=settings.NEARLINE_DEBOUNCE_SECONDS)
    with scope.all_tenants("near-line sweep"):
        waiting = EndUser.objects.filter(Exists(active), dirty_at__lte=latest).order_by()
        rows: list[tuple[int, int]] = list(waiting.values_list("tenant_id").annotate(users=Count("pk")))
    total = sum(users for _, users in rows)
    for tenant_id, _ in rows:
        enqueue(RESCORE, tenant_id=tenant_id, user_pks=[])
    return total


def repeat_availability(*, now: datetime) -> int:
    """Re-sends the availability of items that changed, or became available, in the last ten minutes; returns how many.

    An available item is removed from the withdrawn ones only if its entry has not changed since before PostgreSQL was
    read: a change that is being made at this moment is never undone.
    """
    recent = Q(updated_at__gte=now - REPEATED_FOR) | Q(available_from__range=(now - REPEATED_FOR, now))
    with scope.all_tenants("availability sweep: whose items changed"):
        tenant_ids = list(Item.objects.filter(recent).order_by().values_list("tenant_id", flat=True).distinct())
    repeated = 0
    for tenant_id in tenant_ids:
        try:
            before = withdrawn_items.snapshot(tenant_id)
        except RedisUnavailable:
            return repeated
        with scope.tenant(tenant_id):
            changed = Item.objects.filter(recent, tenant_id=tenant_id).order_by("-updated_at")
            rows = list(changed.values_list("item_id", *availability.COLUMNS)[:MAX_ITEMS])
        withdrawals = {item_id: availability.withdrawal(now, *dates) for item_id, *dates in rows}
        publish_availability(tenant_id, {item_id: at for item_id, at in withdrawals.items() if at is not None})
        available = {item_id.encode() for item_id, at in withdrawals.items() if at is None}
        withdrawn_items.prune(tenant_id, {name: value for name, value in before.items() if name in available}, {})
        repeated += len(rows)
    return repeated
