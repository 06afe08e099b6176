"""Staff accounts and groups. No user may act on an account with more privileges."""

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
# Fields that grant privileges. Only superusers may change them.
POWERS = ("is_superuser", "groups", "user_permissions")


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


@admin.register(Group)
class StaffGroupAdmin(DeploymentAdmin, GroupAdmin):
    """Groups, shared by all staff: changing one grants permissions to others, and to oneself."""

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
    """Refuses a change that would give the account more privileges than the acting user has."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        """Checks the tenant as well: an account without one sees all of them."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk and "tenant" in given:
            before = privileges.Privileges.from_user(self.instance)
            tenant = given["tenant"]
            after = privileges.Privileges(before.superuser, tenant.pk if tenant else None, before.permissions)
            if not privileges.Privileges.from_user(self.request.user).covers(after):
                raise forms.ValidationError({"tenant": "This would give the account more rights than you have."})
        return given


@admin.register(User)
class StaffAdmin(StaffPage, UserAdmin):
    """Django's own page, with the tenant that confines the account."""

    form = StaffForm
    list_display = [
        "username", "email", "tenant", "is_active", "is_staff", "is_superuser", "second_factor", "last_login",
    ]  # fmt: skip
    actions = ["reset_second_factor", "unlock"]
    list_filter = ["is_active", "is_superuser"]
    list_select_related = ["tenant"]
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Tenant", {"fields": ["tenant"]}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Limits confined staff to their own tenant's staff, without superusers."""
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
        """Makes privileges read-only for all but superusers, and the tenant for confined staff."""
        own = tuple(super().get_readonly_fields(request, obj))
        if is_confined(request):
            return (*own, "tenant", "is_staff", *POWERS)
        return own if _is_superuser(request) else (*own, *POWERS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Denies any change of an account with more privileges: name, password or status."""
        return super().has_change_permission(request, obj) and (obj is None or privileges.covers(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Denies deletion of an account with more privileges, and of oneself."""
        own = obj is not None and obj.pk == request.user.pk
        return (
            super().has_delete_permission(request, obj)
            and not own
            and (obj is None or privileges.covers(request.user, obj))
        )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Confines the accounts that confined staff create to their own tenant."""
        if is_confined(request):
            obj.tenant_id = request.user.tenant_id  # type: ignore[union-attr]
        super().save_model(request, obj, form, change)

    @admin.display(description="Second factor", boolean=True, ordering="has_app")
    def second_factor(self, user: User) -> bool:
        """Shows if the account uses an authenticator app."""
        return bool(getattr(user, "has_app", False))

    @staff_action(
        description="Reset the second factor (its device is lost)",
        consequence="The user logs in with the password alone until a new device is set up, which STAFF_TOTP may "
        "require at the next log-in. Verify the request by another channel than e-mail.",
        secret=True,
    )
    def reset_second_factor(self, request: HttpRequest, user: User) -> str:
        """Removes the device and the recovery codes."""
        _require_cover(request, user)
        return f"{user}: {second_factor.reset(user)} device removed."

    @staff_action(
        description="Unlock (forget failed log-ins)",
        consequence="Log-ins to the account are possible again at once, also for an attacker who was guessing.",
    )
    def unlock(self, request: HttpRequest, user: User) -> str:
        """Ends the lock-out."""
        _require_cover(request, user)
        return f"{user}: {lockout.unlock(user.get_username())} failures forgotten."


def _require_cover(request: HttpRequest, user: User) -> None:
    if not privileges.covers(request.user, user):
        raise privileges.MoreRights("This account has more rights than you.")
