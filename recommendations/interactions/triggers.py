"""Work that new events trigger: near-line rescoring of users, and a tenant's first build."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from accounts.tenancy import scope
from core import process_caches
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
# Interactions whose users are looked up at once, and users that are locked at once.
INTERACTIONS_PER_RANGE = 500_000
USERS_PER_MARK = 2_000
# Tenants whose first events are remembered to be long ago.
MAX_REMEMBERED = 10_000
_debouncer = Debouncer()
_has_passed: dict[int, int] = {}  # BUILD_FIRST_EVENTS by tenant
process_caches.register(_has_passed.clear)
_NEXT_ID = "SELECT last_value + is_called::int FROM recommendations_interaction_id_seq"
_USERS = """
    SELECT DISTINCT end_user_id FROM recommendations_interaction
    WHERE tenant_id = %s AND id >= %s AND id < %s ORDER BY end_user_id
"""
# Users are locked in the order of their keys, as everywhere. Those marked since this began are left alone.
_MARK = """
    WITH locked AS MATERIALIZED (
        SELECT id FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id = ANY (%(users)s)
            AND (dirty_at IS NULL OR last_event_at IS NULL OR last_event_at < %(now)s)
        ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE recommendations_enduser AS u
    SET last_event_at = greatest(u.last_event_at, %(now)s), dirty_at = coalesce(u.dirty_at, %(now)s)
    FROM locked WHERE u.id = locked.id
"""


def mark_dirty(*, tenant_id: int, users: Collection[int], clean: Collection[int], now: datetime) -> None:
    """Marks users (locked by the caller) as waiting for a rescore, and enqueues it once per tenant and wait.

    `clean` holds the primary keys of those who were not waiting before.
    """
    EndUser.objects.filter(tenant_id=tenant_id, pk__in=users).update(
        last_event_at=Greatest(Coalesce("last_event_at", now), now), dirty_at=Coalesce(F("dirty_at"), now)
    )
    enqueue_rescore(tenant_id=tenant_id, users=sorted(set(users) & set(clean)))


def enqueue_rescore(*, tenant_id: int, users: Sequence[int]) -> None:
    """Enqueues the rescore of users who were not waiting before, after the commit, once per tenant and wait."""
    if users:
        # Too many to name: the task finds waiting users by itself.
        transaction.on_commit(lambda: _enqueue_rescore(tenant_id, users if len(users) <= MAX_NAMED_USERS else []))


def next_interaction_id() -> int:
    """The lowest id that an interaction stored from now on may get."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ID)
        return int(cursor.fetchone()[0])


def mark_users_since(*, tenant_id: int, first_id: int, now: datetime) -> Iterator[int]:
    """Marks the users of the interactions from `first_id` on, and enqueues their rescore at the end.

    Commits after each USERS_PER_MARK users, so that nobody waits for long; call it outside any transaction. Yields
    the id up to which users are marked: repeated from there after an interruption, it misses nobody.
    """
    with scope.tenant(tenant_id):
        end = next_interaction_id()
    for start in range(first_id, end, INTERACTIONS_PER_RANGE):
        until = min(start + INTERACTIONS_PER_RANGE, end)
        with scope.tenant(tenant_id), connection.cursor() as cursor:
            cursor.execute(_USERS, [tenant_id, start, until])
            users = [pk for (pk,) in cursor.fetchall()]
        for first in range(0, len(users), USERS_PER_MARK):
            with scope.tenant(tenant_id), connection.cursor() as cursor:
                batch = users[first : first + USERS_PER_MARK]
                cursor.execute(_MARK, {"tenant": tenant_id, "users": batch, "now": now})
        yield until
    _enqueue_rescore(tenant_id, [])


def _enqueue_rescore(tenant_id: int, user_pks: Sequence[int], timer: Callable[[], float] = time.monotonic) -> None:
    """Skipped if this process enqueued one a moment ago: it has not begun, and will take these users along."""
    wait: float = settings.NEARLINE_DEBOUNCE_SECONDS
    if _debouncer.passes(tenant_id, interval_seconds=wait * DEBOUNCED_SHARE, timer=timer):
        enqueue(RESCORE, countdown=wait, tenant_id=tenant_id, user_pks=user_pks)


def plan_first_build(*, tenant_id: int, new_events: int) -> None:
    """Enqueues the tenant's first build around its BUILD_FIRST_EVENTS-th event; the task checks if there is one.

    Reads at most twice as many index entries, and none once this process has seen that many. It keeps asking up to
    the double instead of at the exact crossing: concurrent transactions do not see each other's rows, so none of them
    might see it.
    """
    first: int = settings.BUILD_FIRST_EVENTS
    if _has_passed.get(tenant_id, -1) >= first:
        return
    rows = Interaction.objects.filter(tenant_id=tenant_id).order_by("tenant_id", "occurred_at")
    count = rows.values("pk")[: 2 * first + new_events].count()
    if count >= first and count - new_events < 2 * first:
        enqueue(PLAN_FIRST, tenant_id=tenant_id)
    elif count >= 2 * first:
        if len(_has_passed) >= MAX_REMEMBERED:
            _has_passed.clear()
        _has_passed[tenant_id] = first
