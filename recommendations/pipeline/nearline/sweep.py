"""Every minute: people whose near-line message was lost, and withdrawn items that Redis was not told of."""

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
from recommendations.metrics import DIRTY_PEOPLE
from recommendations.placements.models import Placement

MOST_ITEMS = 10_000
REPEATED_FOR = timedelta(minutes=10)


def sweep(*, now: datetime) -> int:
    """Asks for near line for each tenant of whom somebody waits; returns how many people that are.

    People of a tenant without a snapshot wait for its first build.
    """
    active = Placement.objects.filter(tenant=OuterRef("tenant"), active_build__isnull=False)
    waited = now - timedelta(seconds=settings.NEARLINE_DEBOUNCE_SECONDS)
    with scope.all_tenants("near-line sweep"):
        waiting = EndUser.objects.filter(Exists(active), dirty_at__lte=waited).order_by()
        rows: list[tuple[int, int]] = list(waiting.values_list("tenant_id").annotate(people=Count("pk")))
    total = sum(people for _, people in rows)
    DIRTY_PEOPLE.set(total)
    for tenant_id, _ in rows:
        enqueue(RESCORE, tenant_id=tenant_id, user_pks=[])
    return total


def repeat_availability(*, now: datetime) -> int:
    """Tells Redis again of items that changed, or whose time came, in the last ten minutes; returns how many.

    An item that may be shown is taken from the withdrawn ones only if nobody has touched its entry since before
    Postgres was asked: a change that is being made at this moment is never undone.
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
            rows = list(changed.values_list("item_id", *availability.COLUMNS)[:MOST_ITEMS])
        withdrawals = {item_id: availability.withdrawal(now, *dates) for item_id, *dates in rows}
        publish_availability(tenant_id, {item_id: at for item_id, at in withdrawals.items() if at is not None})
        shown = {item_id.encode() for item_id, at in withdrawals.items() if at is None}
        withdrawn_items.prune(tenant_id, {name: value for name, value in before.items() if name in shown}, {})
        repeated += len(rows)
    return repeated
