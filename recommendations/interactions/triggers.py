"""What new events set off: people to rescore near line, and a tenant's first build."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from core import process_caches
from core.queue import enqueue
from recommendations.catalog.models import EndUser
from recommendations.interactions.models import Interaction
from recommendations.interactions.task_names import PLAN_FIRST, RESCORE

# People whom one message names.
MOST_NAMED = 50
# The share of the wait within which one message does for all; clocks may differ by a third of the wait, and what is
# missed by more, the sweep finds.
SHARED = 0.4
_MOST_REMEMBERED = 10_000
_asked: dict[int, float] = {}


def mark_dirty(*, tenant_id: int, people: Collection[int], clean: Collection[int], now: datetime) -> None:
    """Notes the news on the people's rows (locked by the caller) and asks for near line, once per person and wait.

    `clean` holds those who were not waiting before.
    """
    EndUser.objects.filter(tenant_id=tenant_id, pk__in=people).update(
        last_event_at=Greatest(Coalesce("last_event_at", now), now), dirty_at=Coalesce(F("dirty_at"), now)
    )
    newly = sorted(set(people) & set(clean))
    if newly:
        # Of many the tenant's near line finds the others, since they wait.
        transaction.on_commit(lambda: _ask(tenant_id, newly if len(newly) <= MOST_NAMED else []))


def _ask(tenant_id: int, user_pks: Sequence[int], timer: Callable[[], float] = time.monotonic) -> None:
    """Asks for near line, unless this process has asked for the tenant a moment ago.

    The task of that moment has not begun; it takes everybody along who has waited for a while, as these will have. So
    many events at once cost few messages.
    """
    wait: float = settings.NEARLINE_DEBOUNCE_SECONDS
    now = timer()
    if now - _asked.get(tenant_id, -wait) < wait * SHARED:
        return
    if len(_asked) >= _MOST_REMEMBERED:
        _asked.clear()
    _asked[tenant_id] = now
    enqueue(RESCORE, countdown=wait, tenant_id=tenant_id, user_pks=user_pks)


@process_caches.register
def forget() -> None:
    """Forgets what this process has asked for."""
    _asked.clear()


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
