"""Staff of the deployment, and the groups that give them permissions. Nobody acts upon somebody who may more."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.admin.actions import staff_action
from accounts.admin.base import DeploymentAdmin, StaffPage, is_confined
from accounts.models import User
from accounts.staff import lockout, privileges, second_factor

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
            before = privileges.Power.of(self.instance)
            tenant = given["tenant"]
            after = privileges.Power(before.superuser, tenant.pk if tenant else None, before.permissions)
            if not privileges.Power.of(self.request.user).covers(after):
                raise forms.ValidationError({"tenant": "This would give the account more rights than you have."})
        return given


@admin.register(User)
class StaffAdmin(StaffPage, UserAdmin):
    """Django's own page, with the tenant to which somebody is confined."""

    form = StaffForm
    list_display = [
        "username", "email", "tenant", "is_active", "is_staff", "is_superuser", "second_factor", "last_login",
    ]  # fmt: skip
    actions = ["reset_second_factor", "unlock"]
    list_filter = ["is_active", "is_superuser"]
    list_select_related = ["tenant"]
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Tenant", {"fields": ["tenant"]}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Confined staff see the staff of their own tenant, and nobody whose power goes beyond theirs."""
        apps = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        people: QuerySet[User] = super().get_queryset(request).annotate(has_app=Exists(apps))
        if is_confined(request):
            own: Any = request.user
            people = people.filter(tenant_id=own.tenant_id, is_superuser=False)
        return people

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
        return super().has_change_permission(request, obj) and (obj is None or privileges.covers(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Likewise; and nobody deletes themselves."""
        own = obj is not None and obj.pk == request.user.pk
        return (
            super().has_delete_permission(request, obj)
            and not own
            and (obj is None or privileges.covers(request.user, obj))
        )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whom confined staff create is confined likewise."""
        if is_confined(request):
            obj.tenant_id = request.user.tenant_id  # type: ignore[union-attr]
        super().save_model(request, obj, form, change)

    @admin.display(description="Second factor", boolean=True, ordering="has_app")
    def second_factor(self, user: User) -> bool:
        """Whether they use an app."""
        return bool(getattr(user, "has_app", False))

    @staff_action(
        description="Reset the second factor (its device is lost)",
        consequence="They log in with their password alone until they set up a new device, which STAFF_TOTP may demand "
        "at the next log-in. Make sure, by another way than mail, that it is they who ask.",
        secret=True,
    )
    def reset_second_factor(self, request: HttpRequest, user: User) -> str:
        """Takes the device and the recovery codes away."""
        _require_cover(request, user)
        return f"{user}: {second_factor.reset(user)} device removed."

    @staff_action(
        description="Unlock (forget failed log-ins)",
        consequence="The account may be tried again at once, also by whoever was guessing its password.",
    )
    def unlock(self, request: HttpRequest, user: User) -> str:
        """Ends the wait."""
        _require_cover(request, user)
        return f"{user}: {lockout.unlock(user.get_username())} failures forgotten."


def _require_cover(request: HttpRequest, user: User) -> None:
    if not privileges.covers(request.user, user):
        raise privileges.MoreRights("This account has more rights than you.")
