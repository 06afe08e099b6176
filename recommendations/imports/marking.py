"""Marks the users of imported events for a near-line rescore: once per turn of an import, not once per chunk.

A chunk that stores events notes the first of their ids in its own transaction (`Import.unmarked_from`). The users are
marked at the end of the turn; what a killed or cancelled import has left is marked by the sweep.
"""

from collections.abc import Callable
from datetime import datetime

from accounts.tenancy import scope
from core.leases import Lease
from recommendations.imports.models import Import
from recommendations.interactions import triggers


def mark_users(*, tenant_id: int, import_id: int, now: datetime, lease: Lease | None = None) -> None:
    """Marks the users whose events were imported and are not marked yet. Renews a lease meanwhile.

    Raises: LeaseLost; the sweep marks the rest.
    """
    row = Import.objects.filter(tenant_id=tenant_id, pk=import_id)
    with scope.tenant(tenant_id):
        first = row.values_list("unmarked_from", flat=True).first()
    if first is None:
        return
    keep: Callable[..., object] = row.update if lease is None else lease.keep
    reached = first
    for reached in triggers.mark_users_since(tenant_id=tenant_id, first_id=first, now=now):
        with scope.tenant(tenant_id):
            keep(unmarked_from=reached)
    with scope.tenant(tenant_id):
        row.filter(unmarked_from=reached).update(unmarked_from=None)


def mark_left(*, now: datetime) -> int:
    """Marks what ended imports have left unmarked; returns the number of such imports."""
    with scope.all_tenants("mark the users of ended imports"):
        ended = Import.objects.filter(unmarked_from__isnull=False).exclude(status__in=Import.OPEN)
        found = list(ended.order_by("pk").values_list("tenant_id", "pk"))
    for tenant_id, pk in found:
        mark_users(tenant_id=tenant_id, import_id=pk, now=now)
    return len(found)
