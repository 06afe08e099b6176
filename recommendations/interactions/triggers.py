"""Work that new events trigger: near-line rescoring of users, and a tenant's first build."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from core.debounce import Debouncer
from core.queue import enqueue
from recommendations.catalog.models import EndUser
from recommendations.interactions.models import Interaction
from recommendations.interactions.task_names import PLAN_FIRST, RESCORE

# Users named in one message.
MAX_NAMED_USERS = 50
# The share of the wait within which one message is enough. Clocks may differ by a third of the wait; what is missed by
# more, the sweep finds.
DEBOUNCED_SHARE = 0.4
_debouncer = Debouncer()


def mark_dirty(*, tenant_id: int, users: Collection[int], clean: Collection[int], now: datetime) -> None:
    """Marks users (locked by the caller) as waiting for a rescore, and enqueues it once per tenant and wait.

    `clean` holds the primary keys of those who were not waiting before.
    """
    EndUser.objects.filter(tenant_id=tenant_id, pk__in=users).update(
        last_event_at=Greatest(Coalesce("last_event_at", now), now), dirty_at=Coalesce(F("dirty_at"), now)
    )
    newly_dirty = sorted(set(users) & set(clean))
    if newly_dirty:
        # Too many to name: the task finds waiting users by itself.
        transaction.on_commit(
            lambda: _enqueue_rescore(tenant_id, newly_dirty if len(newly_dirty) <= MAX_NAMED_USERS else [])
        )


def _enqueue_rescore(tenant_id: int, user_pks: Sequence[int], timer: Callable[[], float] = time.monotonic) -> None:
    """Skipped if this process enqueued one a moment ago: it has not begun, and will take these users along."""
    wait: float = settings.NEARLINE_DEBOUNCE_SECONDS
    if _debouncer.passes(tenant_id, interval_seconds=wait * DEBOUNCED_SHARE, timer=timer):
        enqueue(RESCORE, countdown=wait, tenant_id=tenant_id, user_pks=user_pks)


def plan_first_build(*, tenant_id: int, new_events: int) -> None:
    """Enqueues the tenant's first build around its BUILD_FIRST_EVENTS-th event; the task checks if there is one.

    Reads at most twice as many index entries. It keeps asking up to the double instead of at the exact crossing:
    concurrent transactions do not see each other's rows, so none of them might see it.
    """
    first: int = settings.BUILD_FIRST_EVENTS
    rows = Interaction.objects.filter(tenant_id=tenant_id).order_by("tenant_id", "occurred_at")
    count = rows.values("pk")[: 2 * first + new_events].count()
    if count >= first and count - new_events < 2 * first:
        enqueue(PLAN_FIRST, tenant_id=tenant_id)
