"""Staff of the deployment."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import User


@admin.register(User)
class StaffAdmin(UserAdmin):
    """Django's own page, with the tenant to which somebody is confined."""

    list_display = ["username", "email", "tenant", "is_active", "is_staff", "is_superuser", "last_login"]
    list_filter = ["is_active", "is_superuser"]
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Tenant", {"fields": ["tenant"]}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Confined staff see the staff of their own tenant."""
        people = super().get_queryset(request)
        tenant_id = getattr(request.user, "tenant_id", None)
        return people if tenant_id is None else people.filter(tenant_id=tenant_id)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Confined staff cannot raise themselves, or others, above their tenant."""
        own = tuple(super().get_readonly_fields(request, obj))
        if getattr(request.user, "tenant_id", None) is None:
            return own
        return (*own, "tenant", "is_superuser", "groups", "user_permissions", "is_staff")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whom confined staff create is confined likewise."""
        if tenant_id := getattr(request.user, "tenant_id", None):
            obj.tenant_id = tenant_id
        super().save_model(request, obj, form, change)
