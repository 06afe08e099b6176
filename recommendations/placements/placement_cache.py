"""Which placements there are, without asking the database each time.

The process's copy (accounts.tenancy.tenant_cache) knows those that were there some seconds ago. One that it does not
know may have been made since, so the database is asked; one that has gone since has no lists either, for they go with
it.
"""

from collections.abc import Mapping

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError, NotFound
from recommendations.placements.models import HOME, Placement

_PART = "placements"


class UnknownPlacement(NotFound):
    """The tenant has no placement of that name."""

    def __init__(self, name: str) -> None:
        detail = f"There is no placement {name!r}."
        super().__init__(detail, errors=[FieldError("/placement", "unknown_placement", detail)])


def register() -> None:
    """Lets every copy hold the placements' names. Called once, when the application is ready."""
    tenant_cache.keep(_PART, _names)


def forget() -> None:
    """Lets this process ask the database again until the copy is read anew."""
    tenant_cache.drop(_PART)


def require(*, tenant_id: int, name: str) -> None:
    """Lets the name of a placement pass; `home` is there before its row. No SQL for one that has been there a while.

    Raises: UnknownPlacement.
    """
    if name == HOME or name in tenant_cache.current().parts.get(_PART, {}).get(tenant_id, ()):
        return
    with scope.tenant(tenant_id):
        if Placement.objects.filter(tenant_id=tenant_id, name=name).exists():
            return
    raise UnknownPlacement(name)


def _names() -> Mapping[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    for tenant_id, name in Placement.objects.order_by().values_list("tenant_id", "name"):
        found.setdefault(tenant_id, set()).add(name)
    return {tenant_id: frozenset(names) for tenant_id, names in found.items()}
