"""Removal of cached lists of placements that were deleted or renamed."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from core.queue import enqueue
from recommendations import cache
from recommendations.placements import placement_cache
from recommendations.placements.models import Placement
from recommendations.placements.task_names import FORGET_PLACES
from recommendations.placements.versions import placement_names


def subscribe() -> None:
    """Enqueues the removal whenever a placement is deleted or may have been renamed."""
    post_delete.connect(_on_delete, sender=Placement, dispatch_uid="placement gone")
    post_save.connect(_on_save, sender=Placement, dispatch_uid="placement saved")


def delete_cached_lists(*, tenant_id: int) -> int:
    """Removes cached lists of placements that no longer exist; returns the number of lists. Safe at any time.

    Raises: core.redis.RedisUnavailable.
    """
    return cache.forget_places(tenant_id, keep=placement_names(tenant_id=tenant_id))


def _on_delete(*, instance: Placement, **_: Any) -> None:
    tenant_id = instance.tenant_id
    placement_cache.invalidate()
    transaction.on_commit(placement_cache.invalidate)
    transaction.on_commit(lambda: enqueue(FORGET_PLACES, tenant_id=tenant_id))


def _on_save(*, instance: Placement, created: bool, update_fields: Any = None, **_: Any) -> None:
    if not created and (update_fields is None or "name" in update_fields):
        _on_delete(instance=instance)
