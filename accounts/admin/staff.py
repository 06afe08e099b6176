"""Staff of the deployment, and the groups that give them permissions. Nobody acts upon somebody who may more."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import power
from accounts.admin.base import DeploymentAdmin, StaffPage, is_confined
from accounts.models import User

admin.site.unregister(Group)
# What gives power. Only superusers give it, and only to whom their own tenant confines them.
POWERS = ("is_superuser", "groups", "user_permissions")


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


@admin.register(Group)
class StaffGroupAdmin(DeploymentAdmin, GroupAdmin):
    """Groups are shared by all staff: whoever changes one gives permissions to others, and to themselves."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only superusers."""
        return _is_superuser(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only superusers."""
        return _is_superuser(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only superusers."""
        return _is_superuser(request) and super().has_delete_permission(request, obj)


class StaffForm(UserChangeForm):
    """Refuses a change after which the account could do more than whoever makes it."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        """The tenant decides as well: without one, somebody sees all of them."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk and "tenant" in given:
            before = power.Power.of(self.instance)
            tenant = given["tenant"]
            after = power.Power(before.superuser, tenant.pk if tenant else None, before.permissions)
            if not power.Power.of(self.request.user).covers(after):
                raise forms.ValidationError({"tenant": "This would give the account more rights than you have."})
        return given


@admin.register(User)
class StaffAdmin(StaffPage, UserAdmin):
    """Django's own page, with the tenant to which somebody is confined."""

    form = StaffForm
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

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form knows who fills it in."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        return type(form)(form.__name__, (form,), {"request": request})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Power is given by superusers; confined staff raise neither themselves nor others above their tenant."""
        own = tuple(super().get_readonly_fields(request, obj))
        if is_confined(request):
            return (*own, "tenant", "is_staff", *POWERS)
        return own if _is_superuser(request) else (*own, *POWERS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody changes somebody who may more: not their name, not their password, not whether they are active."""
        return super().has_change_permission(request, obj) and (obj is None or power.covers(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Likewise; and nobody deletes themselves."""
        own = obj is not None and obj.pk == request.user.pk
        return (
            super().has_delete_permission(request, obj) and not own and (obj is None or power.covers(request.user, obj))
        )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whom confined staff create is confined likewise."""
        if is_confined(request):
            obj.tenant_id = request.user.tenant_id  # type: ignore[union-attr]
        super().save_model(request, obj, form, change)
