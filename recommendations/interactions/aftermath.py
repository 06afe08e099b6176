"""What new events set off: people to rescore near line, and a tenant's first build."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from core.queue import enqueue
from recommendations.catalog.models import EndUser
from recommendations.interactions.jobs import PLAN_FIRST, RESCORE, SWEEP_DIRTY
from recommendations.interactions.models import Interaction

# More people at once are left to one sweep, which takes them in chunks.
MAX_SINGLE_RESCORES = 50


def mark_dirty(*, tenant_id: int, people: Collection[int], clean: Collection[int], now: datetime) -> None:
    """Notes the news on the people's rows (locked by the caller) and asks for near line, once per person and wait.

    `clean` holds those who were not waiting before.
    """
    EndUser.objects.filter(tenant_id=tenant_id, pk__in=people).update(
        last_event_at=Greatest(Coalesce("last_event_at", now), now), dirty_at=Coalesce(F("dirty_at"), now)
    )
    newly = sorted(set(people) & set(clean))
    wait = settings.NEARLINE_DEBOUNCE_SECONDS
    if len(newly) > MAX_SINGLE_RESCORES:
        enqueue(SWEEP_DIRTY, countdown=wait)
        return
    for user_pk in newly:
        enqueue(RESCORE, countdown=wait, tenant_id=tenant_id, user_pk=user_pk)


def plan_first_build(*, tenant_id: int, new_events: int) -> None:
    """Asks for the tenant's first build around its BUILD_FIRST_EVENTS-th event; the task finds out if there is one.

    Looks at twice that many index entries at most. It asks up to the double, not at the exact crossing: transactions
    that run at the same time do not see each other's rows, so that none of them might see it.
    """
    first: int = settings.BUILD_FIRST_EVENTS
    rows = Interaction.objects.filter(tenant_id=tenant_id).order_by("tenant_id", "occurred_at")
    count = rows.values("pk")[: 2 * first + new_events].count()
    if count >= first and count - new_events < 2 * first:
        enqueue(PLAN_FIRST, tenant_id=tenant_id)
