"""Privileges of staff accounts, and their comparison.

A user who can change an account, set its password or remove its second factor can act as that account. Privileges as
a whole are therefore compared, not single permissions: no user may act on an account with more privileges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q

from accounts.models import User
from core.errors import ServiceError

# Permissions that a staff user needs to grant a scope to a client, or to see a secret that carries it: a client with
# privacy:write erases users, whatever its creator may do in the admin.

SCOPE_PERMISSIONS: dict[str, frozenset[str]] = {
    "catalog:read": frozenset({"recommendations.view_item", "recommendations.view_enduser"}),
    "catalog:write": frozenset({"recommendations.change_item", "recommendations.change_enduser"}),
    "events:read": frozenset({"recommendations.view_interaction"}),
    "events:write": frozenset({"recommendations.add_interaction"}),
    "recommendations:read": frozenset({"recommendations.view_userlist"}),
    "insights:read": frozenset({"recommendations.view_placementstat"}),
    "usage:read": frozenset({"accounts.view_tenantusage"}),
    "privacy:read": frozenset({"recommendations.view_enduser", "recommendations.view_interaction"}),
    "privacy:write": frozenset({"recommendations.delete_enduser"}),
    # A browser token sends events and reads lists for any user that its issuer names.
    "tokens:issue": frozenset({"recommendations.add_interaction", "recommendations.view_userlist"}),
    "offline_access": frozenset(),
}


class MoreRights(ServiceError):
    """The account or credential has more privileges than the acting user."""

    code = "more_rights"
    title = "This has more privileges than you"


@dataclass(frozen=True, slots=True)
class Privileges:
    """All privileges of an account, active or not: deactivated accounts can be activated again."""

    superuser: bool
    tenant_id: int | None
    permissions: frozenset[str]

    @classmethod
    def from_user(cls, user: Any) -> "Privileges":
        """Loads the account's privileges from the database, since an object in memory may be stale."""
        held = Permission.objects.filter(Q(user=user) | Q(group__user=user)).distinct() if user.pk else []
        names = frozenset(f"{each.content_type.app_label}.{each.codename}" for each in _with_types(held))
        return cls(bool(user.is_superuser), getattr(user, "tenant_id", None), names)

    def covers(self, other: "Privileges") -> bool:
        """Returns true if these privileges include the other ones."""
        if self.tenant_id is not None and other.tenant_id != self.tenant_id:
            return False
        if other.superuser:
            return self.superuser
        return self.superuser or other.permissions <= self.permissions

    def allows(self, wanted: Iterable[str]) -> bool:
        """Returns true if the permissions are included."""
        return self.superuser or frozenset(wanted) <= self.permissions


def covers(actor: Any, target: User) -> bool:
    """Returns true if the actor has every privilege of the target, or is the target."""
    if not getattr(actor, "is_active", False):
        return False
    return actor.pk == target.pk or Privileges.from_user(actor).covers(Privileges.from_user(target))


def scopes_beyond(actor: Any, scopes: Iterable[str]) -> list[str]:
    """Returns the scopes that the actor must not grant, because their own privileges do not cover them."""
    own = Privileges.from_user(actor)
    if own.superuser and getattr(actor, "is_active", False):
        return []
    unknown = frozenset({"unknown"})  # a scope without an entry is reserved for superusers
    return sorted(scope for scope in scopes if not own.allows(SCOPE_PERMISSIONS.get(scope, unknown)))


def _with_types(permissions: Any) -> Any:
    return permissions.select_related("content_type") if hasattr(permissions, "select_related") else permissions
