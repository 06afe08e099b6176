"""Claims on imports. Each chunk renews the lease in its own transaction: no thread is needed for a second or two."""

from functools import partial

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Coalesce, Now

from accounts.tenancy import scope
from core.leases import MAX_ATTEMPTS, Lease
from recommendations.imports.models import Import


def lease_on(*, tenant_id: int, import_id: int) -> Lease:
    """A lease on an import, not claimed yet."""
    return Lease(
        row=Import.objects.filter(tenant_id=tenant_id, pk=import_id, status__in=Import.OPEN),
        seconds=settings.IMPORT_LEASE_SECONDS,
        scope=partial(scope.tenant, tenant_id),
        name=f"Import {import_id}",
    )


def claim_import(*, tenant_id: int, import_id: int) -> Lease | None:
    """Claims an unfinished import that has a file; None where another worker has it or it was begun too often."""
    lease = lease_on(tenant_id=tenant_id, import_id=import_id)
    due = Q(attempts__lt=MAX_ATTEMPTS) & ~Q(file="")
    with scope.tenant(tenant_id):
        claimed = lease.claim(due, status=Import.Status.RUNNING, started_at=Coalesce("started_at", Now()))
    return lease if claimed else None
