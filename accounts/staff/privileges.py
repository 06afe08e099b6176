"""What a member of staff may do in all, and whether another one may do as much.

Whoever may change an account, give it a password or take its second factor away can act as it. So it is power that is
compared, not the name of a permission: nobody acts upon an account that may more than they may themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q

from accounts.models import User
from core.errors import ServiceError

# What a member of staff must be allowed to do themselves before they give a program the right to do it, or see a
# secret that gives it. A program with privacy:write erases people, whatever its maker may do in the admin.

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
    # A browser's token sends events and reads lists for anybody whom its issuer names.
    "tokens:issue": frozenset({"recommendations.add_interaction", "recommendations.view_userlist"}),
    "offline_access": frozenset(),
}


class MoreRights(ServiceError):
    """The account or the credential may more than whoever wants to act upon it."""

    code = "more_rights"
    title = "This has more rights than you"


@dataclass(frozen=True, slots=True)
class Power:
    """Everything that an account may do, or could if it were active: deactivated ones can be activated again."""

    superuser: bool
    tenant_id: int | None
    permissions: frozenset[str]

    @classmethod
    def of(cls, user: Any) -> "Power":
        """The account's, from the database: what an object in memory remembers may be older."""
        held = Permission.objects.filter(Q(user=user) | Q(group__user=user)).distinct() if user.pk else []
        names = frozenset(f"{each.content_type.app_label}.{each.codename}" for each in _with_types(held))
        return cls(bool(user.is_superuser), getattr(user, "tenant_id", None), names)

    def covers(self, other: "Power") -> bool:
        """Whether this is as much as the other, or more."""
        if self.tenant_id is not None and other.tenant_id != self.tenant_id:
            return False
        if other.superuser:
            return self.superuser
        return self.superuser or other.permissions <= self.permissions

    def allows(self, wanted: Iterable[str]) -> bool:
        """Whether these permissions are among it."""
        return self.superuser or frozenset(wanted) <= self.permissions


def covers(actor: Any, target: User) -> bool:
    """Whether the actor may do everything that the target may; of oneself always."""
    if not getattr(actor, "is_active", False):
        return False
    return actor.pk == target.pk or Power.of(actor).covers(Power.of(target))


def beyond(actor: Any, scopes: Iterable[str]) -> list[str]:
    """Those of the scopes that the actor must not give a program, because they may not do it themselves."""
    own = Power.of(actor)
    if own.superuser and getattr(actor, "is_active", False):
        return []
    unknown = frozenset({"unknown"})  # a scope that nobody has thought about yet is a superuser's
    return sorted(scope for scope in scopes if not own.allows(SCOPE_PERMISSIONS.get(scope, unknown)))


def _with_types(permissions: Any) -> Any:
    return permissions.select_related("content_type") if hasattr(permissions, "select_related") else permissions
