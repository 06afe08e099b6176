"""Staff of the deployment, and the groups that give them permissions."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import DeploymentAdmin, is_confined
from accounts.models import User

admin.site.unregister(Group)


@admin.register(Group)
class StaffGroupAdmin(DeploymentAdmin, GroupAdmin):
    """Groups are shared by all staff: whoever may change one gives permissions to others, and to themselves."""


@admin.register(User)
class StaffAdmin(UserAdmin):
    """Django's own page, with the tenant to which somebody is confined."""

    list_display = ["username", "email", "tenant", "is_active", "is_staff", "is_superuser", "last_login"]
    list_filter = ["is_active", "is_superuser"]
    list_select_related = ["tenant"]
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Tenant", {"fields": ["tenant"]}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Confined staff see the staff of their own tenant, and nobody whose power goes beyond theirs."""
        people = super().get_queryset(request)
        if not is_confined(request):
            return people
        return people.filter(tenant_id=request.user.tenant_id, is_superuser=False)  # type: ignore[union-attr]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Confined staff cannot raise themselves, or others, above their tenant."""
        own = tuple(super().get_readonly_fields(request, obj))
        if not is_confined(request):
            return own
        return (*own, "tenant", "is_superuser", "groups", "user_permissions", "is_staff")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whom confined staff create is confined likewise."""
        if is_confined(request):
            obj.tenant_id = request.user.tenant_id  # type: ignore[union-attr]
        super().save_model(request, obj, form, change)
