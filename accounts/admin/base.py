"""Base classes of all admin pages: audit entries, look-ups, secrets, and the limits of a tenant's staff."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import ForeignKey
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property

from accounts.admin import actions, relations
from accounts.admin.auditing import AuditedAdmin
from accounts.admin.lookups import ShownLookups
from accounts.admin.secret_page import Issued, secret_page

admin.site.add_action(actions.delete_selected, "delete_selected")


def is_confined(request: HttpRequest) -> bool:
    """Returns true if the staff user sees one tenant only."""
    return getattr(request.user, "tenant_id", None) is not None


class BoundedPaginator(Paginator):
    """Counts up to ten thousand rows: a full count may take minutes, and no user needs that many pages."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, at most `most`."""
        rows: Any = self.object_list
        found: int = rows.order_by()[: self.most].count()
        return found


class StaffPage(AuditedAdmin, ShownLookups):
    """Base class of all pages: changes are audited, look-ups are restricted, secrets are shown once."""

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Adds the actions offered on the row's own page."""
        obj = kwargs.get("obj")
        offered: Any = self.get_actions(request) if obj else {}
        known = [getattr(do, "spec", None) for do, _, _ in offered.values()]
        context["object_actions"] = [spec for spec in known if spec is not None and not spec.deletes]
        context["actions_address"] = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        context["checkbox"] = ACTION_CHECKBOX_NAME
        return super().render_change_form(request, context, *args, **kwargs)

    def show(self, request: HttpRequest, issued: Issued) -> None:
        """Makes the page with the secret the response to this request."""
        request.issued = issued  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Shows the secret of the added row, if it has one."""
        usual = super().response_add(request, obj, post_url_continue)
        issued: Issued | None = getattr(request, "issued", None)
        if issued is None:
            return usual
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
        return secret_page(request, self.admin_site, [issued], back=back, title=issued.label)


class TenantAdmin(StaffPage):
    """Shows the tenant, filters by it where staff see several, and never lets it be changed afterwards.

    Which rows exist is decided by the scope that AdminScopeMiddleware opens, not here.
    """

    tenant_field = "tenant"
    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Puts the tenant before the page's own filters, unless staff see one tenant only."""
        own = tuple(super().get_list_filter(request))
        return own if is_confined(request) or not self.tenant_field else (self.tenant_field, *own)

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """Joins the related rows that the list shows: one query for all rows."""
        keys = {field.name for field in self.opts.concrete_fields if field.remote_field}
        shown = keys & {name for name in self.list_display if isinstance(name, str)}
        more = self.list_select_related if isinstance(self.list_select_related, list | tuple) else ()
        return sorted(shown | set(more) | ({self.tenant_field} if self.tenant_field else set())) or False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Makes the tenant of an existing row read-only."""
        own = tuple(super().get_readonly_fields(request, obj))
        return (*own, self.tenant_field) if obj is not None and self.tenant_field else own

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Preselects the tenant of confined staff."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        if tenant_id := getattr(request.user, "tenant_id", None):
            initial.setdefault(self.tenant_field, tenant_id)
        return initial

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Makes the form refuse rows of another tenant."""
        request.form_of = obj  # type: ignore[attr-defined]
        form: Any = super().get_form(request, obj, change, **kwargs)
        return type(form)(form.__name__, (relations.SameTenant, form), {})

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        """Labels rows with their tenant; if the tenant is known, offers only its own rows."""
        if not relations.is_tenants(db_field.related_model):
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        return relations.choose(db_field, request, relations.tenant_of(request, self.tenant_field), **kwargs)


class DeploymentControlledAdmin(TenantAdmin):
    """Limits and switches set by the deployment: a tenant's own staff see but cannot change them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_delete_permission(request, obj)


class ReadOnlyTenantAdmin(TenantAdmin):
    """Rows written by the service: staff may view but not add, change or delete them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never; the page is then a read-only view."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class DeploymentAdmin(StaffPage):
    """Objects of the deployment, without a tenant: hidden from confined staff."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django says, but never for confined staff."""
        return not is_confined(request) and super().has_delete_permission(request, obj)
