"""A tenant's setting of the positions for items without interactions (docs/adr/0058)."""

from accounts.models import Tenant
from accounts.tenancy import scope


def load_cold_every(*, tenant_id: int) -> int | None:
    """One such position in this many, as set by staff; None if each training decides."""
    with scope.tenant(tenant_id):
        return Tenant.objects.values_list("cold_items", flat=True).get(pk=tenant_id)
