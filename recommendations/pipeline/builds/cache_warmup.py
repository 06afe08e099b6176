"""Warms Redis after a swap: it gets the new snapshot's lists and loses those of older ones."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, When

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys, list_cache, withdrawn_items
from recommendations.catalog import availability
from recommendations.catalog.models import EndUser
from recommendations.list_kinds import SHARED
from recommendations.pipeline.models import Build, ReferenceList, UserList
from recommendations.placements.models import Placement

BATCH = 500
T = TypeVar("T")


def warm(*, tenant_id: int, build_id: int, checkpoint: Callable[[], None]) -> None:
    """Stores the lists of the CACHE_WARM_LISTS most recently active users, and as many reference lists.

    Other users' keys are removed: their next read fills them from PostgreSQL. `checkpoint` is called between batches
    and may raise to stop the work; repeating it does no harm.

    Raises:
        RedisUnavailable: Redis may still hold lists of older snapshots.
    """
    with scope.tenant(tenant_id):
        lists = UserList.objects.filter(tenant_id=tenant_id, build_id=build_id)
        latest = lists.order_by(F("end_user__last_event_at").desc(nulls_last=True), "pk")
        ranked = list(latest.values_list("pk", flat=True))
        without = EndUser.objects.filter(~Exists(lists.filter(end_user=OuterRef("pk"))), tenant_id=tenant_id)
        placements = list(Placement.objects.filter(tenant_id=tenant_id).order_by().values_list("name", flat=True))
        unlisted = list(without.values_list("user_id", flat=True))
    for batch in _batches(ranked[: settings.CACHE_WARM_LISTS]):
        checkpoint()
        list_cache.set_many(_personal(tenant_id, batch))
    for batch in _batches(ranked[settings.CACHE_WARM_LISTS :]):
        checkpoint()
        _unlink(_personal_keys(tenant_id, batch))
    for names in _batches(unlisted):
        checkpoint()
        _unlink([keys.user_list(tenant_id, placement, name) for placement in placements for name in names])
    _warm_reference(tenant_id, build_id, checkpoint)
    _prune_withdrawals(tenant_id, build_id)


def _personal(tenant_id: int, pks: Sequence[int]) -> list[tuple[str, bytes]]:
    with scope.tenant(tenant_id):
        rows = UserList.objects.filter(tenant_id=tenant_id, pk__in=pks)
        found = list(rows.values_list("placement__name", "end_user__user_id", "body"))
    return [(keys.user_list(tenant_id, placement, user_id), bytes(body)) for placement, user_id, body in found]


def _personal_keys(tenant_id: int, pks: Sequence[int]) -> list[str]:
    with scope.tenant(tenant_id):
        rows = UserList.objects.filter(tenant_id=tenant_id, pk__in=pks)
        found = list(rows.values_list("placement__name", "end_user__user_id"))
    return [keys.user_list(tenant_id, placement, user_id) for placement, user_id in found]


def _warm_reference(tenant_id: int, build_id: int, checkpoint: Callable[[], None]) -> None:
    with scope.tenant(tenant_id):
        rows = ReferenceList.objects.filter(tenant_id=tenant_id, build_id=build_id)
        # Shared lists first: users without a list of their own get one of them.
        ranked_lists = rows.order_by(Case(When(Q(kind__in=SHARED), then=0), default=1), "kind", "pk")
        pks = list(ranked_lists.values_list("pk", flat=True)[: settings.CACHE_WARM_LISTS])
        kept = set(rows.filter(pk__in=pks).values_list("kind", "subject"))
        # Lists of any other build that this one does not replace may still be in Redis.
        others = ReferenceList.objects.filter(tenant_id=tenant_id).order_by().values_list("kind", "subject").distinct()
        stale = [
            keys.reference_list(tenant_id, kind, subject) for kind, subject in others if (kind, subject) not in kept
        ]
    for batch in _batches(pks):
        checkpoint()
        with scope.tenant(tenant_id):
            found = list(rows.filter(pk__in=batch).values_list("kind", "subject", "body"))
        list_cache.set_many(
            (keys.reference_list(tenant_id, kind, subject), bytes(body)) for kind, subject, body in found
        )
    for names in _batches(stale):
        checkpoint()
        _unlink(names)


def _prune_withdrawals(tenant_id: int, build_id: int) -> None:
    """Removes items from Redis's withdrawn ones that were withdrawn before the previous snapshot was made.

    The current one is not enough: a reader may be putting a list of the previous snapshot back at this moment.
    """
    withdrawn = withdrawn_items.snapshot(tenant_id)
    if not withdrawn:
        return
    with scope.tenant(tenant_id):
        published = Build.objects.filter(tenant_id=tenant_id, pk__lte=build_id, published_at__isnull=False)
        since = list(published.order_by("-pk").values_list("started_at", flat=True)[:2])[-1]
        still = availability.withdrawals(tenant_id=tenant_id, since=since, now=clock.database_now())
    withdrawn_items.prune(tenant_id, withdrawn, still)


def _unlink(names: Sequence[str]) -> None:
    if names:
        redis.call("unlink_lists", lambda client: client.unlink(*names))


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[at : at + BATCH] for at in range(0, len(values), BATCH))
