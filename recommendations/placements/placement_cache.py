"""Cache of placement names in each process.

The process's copy (accounts.tenancy.tenant_cache) is some seconds old. An unknown placement may be new, so the database
is asked; a deleted one has no lists, as they are deleted with it.
"""

from collections.abc import Mapping

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError, NotFound
from recommendations.placements.models import HOME, Placement

_PART = "placements"


class UnknownPlacement(NotFound):
    """The tenant has no placement of that name."""

    def __init__(self, name: str) -> None:
        detail = f"Unknown placement {name!r}."
        super().__init__(detail, errors=[FieldError("/placement", "unknown_placement", detail)])


def register() -> None:
    """Adds placement names to the process's copy. Called once, when the application is ready."""
    tenant_cache.register_part(_PART, _names)


def invalidate() -> None:
    """Makes this process ask the database until the copy is refreshed."""
    tenant_cache.drop_part(_PART)


def require_placement(*, tenant_id: int, name: str) -> None:
    """Checks that the placement exists; `home` does even without a row. Needs no SQL for cached names.

    Raises: UnknownPlacement.
    """
    if name == HOME or name in tenant_cache.current().parts.get(_PART, {}).get(tenant_id, ()):
        return
    with scope.tenant(tenant_id):
        if Placement.objects.filter(tenant_id=tenant_id, name=name).exists():
            return
    raise UnknownPlacement(name)


def _names() -> Mapping[int, frozenset[str]]:
    by_tenant: dict[int, set[str]] = {}
    for tenant_id, name in Placement.objects.order_by().values_list("tenant_id", "name"):
        by_tenant.setdefault(tenant_id, set()).add(name)
    return {tenant_id: frozenset(names) for tenant_id, names in by_tenant.items()}
