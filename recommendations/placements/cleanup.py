"""What a placement leaves in Redis when it is deleted or gets another name: everybody's lists under the old one."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from core.queue import enqueue
from recommendations import cache
from recommendations.placements import placement_cache
from recommendations.placements.models import Placement
from recommendations.placements.task_names import FORGET_PLACES
from recommendations.placements.versions import names


def subscribe() -> None:
    """Asks for the lists to be forgotten whenever a placement has gone or may have another name."""
    post_delete.connect(_gone, sender=Placement, dispatch_uid="placement gone")
    post_save.connect(_saved, sender=Placement, dispatch_uid="placement saved")


def forget(*, tenant_id: int) -> int:
    """Removes the lists in Redis of all placements that are no more; returns how many lists. Safe at any time.

    Raises: core.redis.RedisUnavailable.
    """
    return cache.forget_places(tenant_id, keep=names(tenant_id=tenant_id))


def _gone(*, instance: Placement, **_: Any) -> None:
    tenant_id = instance.tenant_id
    placement_cache.forget()
    transaction.on_commit(placement_cache.forget)
    transaction.on_commit(lambda: enqueue(FORGET_PLACES, tenant_id=tenant_id))


def _saved(*, instance: Placement, created: bool, update_fields: Any = None, **_: Any) -> None:
    if not created and (update_fields is None or "name" in update_fields):
        _gone(instance=instance)
