"""A tenant's setting for its trainings: places for items that nobody has chosen (docs/adr/0059)."""

from accounts.models import Tenant
from accounts.tenancy import scope


def wanted(*, tenant_id: int) -> int | None:
    """One place in so many, as staff have set it; None where each training decides."""
    with scope.tenant(tenant_id):
        return Tenant.objects.values_list("cold_items", flat=True).get(pk=tenant_id)
