"""Who works on an import, and when another worker may take it over.

A claim is one conditional UPDATE that leaves a token. Each chunk is committed together with a second one on the token,
which prolongs the lease: no thread is needed, as a chunk takes a second or two. A holder that dies leaves a lease that
runs out; one that was taken for dead and comes back changes nothing. All times are the database's.
"""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from accounts.tenancy import scope
from core.quoting import quoted
from recommendations.imports.models import Import

# So often it is begun without a single chunk in between.
MAX_ATTEMPTS = 5


class LeaseLost(Exception):
    """Another worker holds the import now, or it was cancelled: this one's work must not take effect."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed import. The token is the proof."""

    tenant_id: int
    pk: int
    token: uuid.UUID = field(default_factory=uuid.uuid4)

    def keep(self, **changed: Any) -> None:
        """Makes these changes and prolongs the lease. Call it in the transaction of a chunk's effect.

        Raises: LeaseLost, which must roll that transaction back.
        """
        if not self._held(lease_until=expiry(), **changed):
            raise LeaseLost(f"import {self.pk}")

    def note(self, **changed: Any) -> None:
        """Makes these changes outside a chunk.

        Raises: LeaseLost.
        """
        with scope.tenant(self.tenant_id):
            self.keep(**changed)

    def give_back(self, error: str = "") -> None:
        """Ends it before its time, so that another worker may go on at once; harmless where it was lost."""
        with scope.tenant(self.tenant_id):
            self._held(lease_until=None, lease_token=None, **({"error": quoted(error, 500)} if error else {}))

    def _held(self, **changed: Any) -> int:
        held = Import.objects.filter(
            tenant_id=self.tenant_id, pk=self.pk, lease_token=self.token, status=Import.Status.RUNNING
        )
        return held.update(**changed)


def free() -> Q:
    """Imports that nobody holds."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


def claim(*, tenant_id: int, import_id: int) -> Lease | None:
    """Takes the import if it is to be done and nobody holds it."""
    lease = Lease(tenant_id, import_id)
    with scope.tenant(tenant_id):
        due = Import.objects.filter(
            free(), tenant_id=tenant_id, pk=import_id, status__in=Import.OPEN, attempts__lt=MAX_ATTEMPTS
        ).exclude(file="")
        taken = due.update(
            status=Import.Status.RUNNING,
            lease_token=lease.token,
            lease_until=expiry(),
            attempts=F("attempts") + 1,
            started_at=Coalesce("started_at", Now()),
        )
    return lease if taken else None


def expiry() -> Any:
    """When a lease that is taken now runs out."""
    return Now() + timedelta(seconds=settings.IMPORT_LEASE_SECONDS)
