"""Near line in turns: one chunk of a tenant's waiting people, then the others' chunks, until nobody waits."""

from collections.abc import Collection
from contextlib import suppress

from django.conf import settings

from core.queue import enqueue
from core.redis import RedisUnavailable
from recommendations.interactions.task_names import RESCORE
from recommendations.pipeline.lists import profiles
from recommendations.pipeline.nearline import rescore, tenant_limit


def take(*, tenant_id: int, user_pks: Collection[int], lane: str = "") -> int:
    """Makes the lists of a chunk of those who wait, these people first; returns how many.

    Where all lanes of the tenant are taken, nothing: those in them take the people along. Raises: RedisUnavailable;
    they wait on.
    """
    first, lane = not lane, lane or tenant_limit.new()
    try:
        if not tenant_limit.enter(tenant_id=tenant_id, lane=lane):
            return 0
    except RedisUnavailable:
        # Nobody counts lanes then. PostgreSQL's lists are made all the same, and are what is served meanwhile.
        return rescore.rescore(tenant_id=tenant_id, user_pks=user_pks)
    try:
        claimed = rescore.claim(tenant_id=tenant_id, user_pks=user_pks)
        full = len(claimed) >= rescore.TOGETHER
        if full and first:
            enqueue(RESCORE, tenant_id=tenant_id, user_pks=[])  # another lane, if one is free
        made = rescore.make(tenant_id=tenant_id, claimed=claimed)
        waiting = profiles.are_waiting(tenant_id=tenant_id, waited=rescore.waited())
    except BaseException:
        with suppress(RedisUnavailable):
            tenant_limit.leave(tenant_id=tenant_id, lane=lane)
        raise
    if waiting or not tenant_limit.leave(tenant_id=tenant_id, lane=lane):
        # After a chunk that was not full, whoever is left is held by a transaction with their news, or came just now.
        pause = None if full else settings.NEARLINE_DEBOUNCE_SECONDS / 2
        enqueue(RESCORE, countdown=pause, tenant_id=tenant_id, user_pks=[], lane=lane)
    return made
