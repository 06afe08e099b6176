"""Near line in turns: one chunk of a tenant's waiting users, then other tenants' chunks, until no user waits."""

from collections.abc import Collection
from contextlib import suppress

from django.conf import settings

from core.queue import enqueue
from core.redis import RedisUnavailable
from recommendations.interactions.task_names import RESCORE
from recommendations.pipeline.nearline import claims, rescore, tenant_limit


def run_turn(*, tenant_id: int, user_pks: Collection[int], lane: str = "") -> int:
    """Rescores a chunk of the waiting users, these users first; returns how many.

    If all lanes of the tenant are taken it does nothing: the tasks in them take the users along.

    Raises:
        RedisUnavailable: They keep waiting.
    """
    first, lane = not lane, lane or tenant_limit.new_lane()
    try:
        if not tenant_limit.enter(tenant_id=tenant_id, lane=lane):
            return 0
    except RedisUnavailable:
        # Lanes cannot be counted. The lists in PostgreSQL are replaced all the same: they are served meanwhile.
        return rescore.rescore(tenant_id=tenant_id, user_pks=user_pks)
    try:
        claimed = rescore.claim(tenant_id=tenant_id, user_pks=user_pks)
        full = len(claimed.pks) >= rescore.TOGETHER
        if full and first:
            enqueue(RESCORE, tenant_id=tenant_id, user_pks=[])  # another lane, if one is free
        rescored = rescore.rescore_claimed(claimed)
        waiting = claims.users_wait(tenant_id=tenant_id, waited=rescore.min_wait())
    except BaseException:
        with suppress(RedisUnavailable):
            tenant_limit.leave(tenant_id=tenant_id, lane=lane)
        raise
    if waiting or not tenant_limit.leave(tenant_id=tenant_id, lane=lane):
        # After a chunk that was not full, the remaining users are held by transactions with events, or came just now.
        pause = None if full else settings.NEARLINE_DEBOUNCE_SECONDS / 2
        enqueue(RESCORE, countdown=pause, tenant_id=tenant_id, user_pks=[], lane=lane)
    return rescored
