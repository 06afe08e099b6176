"""The base of every admin page: what is noted, asked and shown by all of them, and what a tenant's staff may see."""

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
    """Whether the staff user sees one tenant only."""
    return getattr(request.user, "tenant_id", None) is not None


class BoundedPaginator(Paginator):
    """Counts to ten thousand and no further: nobody turns that many pages, and a count of all rows may take minutes."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, at most `most`."""
        rows: Any = self.object_list
        found: int = rows.order_by()[: self.most].count()
        return found


class StaffPage(AuditedAdmin, ShownLookups):
    """The base of all: changes are noted, lists answer only about what they show, secrets are shown in the answer."""

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """With the actions that the row's own page offers too."""
        obj = kwargs.get("obj")
        offered: Any = self.get_actions(request) if obj else {}
        known = [getattr(do, "spec", None) for do, _, _ in offered.values()]
        context["object_actions"] = [spec for spec in known if spec is not None and not spec.deletes]
        context["actions_address"] = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        context["checkbox"] = ACTION_CHECKBOX_NAME
        return super().render_change_form(request, context, *args, **kwargs)

    def show(self, request: HttpRequest, issued: Issued) -> None:
        """The answer to this request is the page with the secret."""
        request.issued = issued  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """The secret of what was added, where it has one."""
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
        """The page's own filters, the tenant first; not for staff who see one tenant only."""
        own = tuple(super().get_list_filter(request))
        return own if is_confined(request) or not self.tenant_field else (self.tenant_field, *own)

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """Whatever the rows show of other tables, and what the page names besides: one query for all rows."""
        keys = {field.name for field in self.opts.concrete_fields if field.remote_field}
        shown = keys & {name for name in self.list_display if isinstance(name, str)}
        more = self.list_select_related if isinstance(self.list_select_related, list | tuple) else ()
        return sorted(shown | set(more) | ({self.tenant_field} if self.tenant_field else set())) or False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A row never moves to another tenant."""
        own = tuple(super().get_readonly_fields(request, obj))
        return (*own, self.tenant_field) if obj is not None and self.tenant_field else own

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Confined staff create for their own tenant."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        if tenant_id := getattr(request.user, "tenant_id", None):
            initial.setdefault(self.tenant_field, tenant_id)
        return initial

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form refuses what belongs to another tenant."""
        request.form_of = obj  # type: ignore[attr-defined]
        form: Any = super().get_form(request, obj, change, **kwargs)
        return type(form)(form.__name__, (relations.SameTenant, form), {})

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        """Rows of tenants are named with their tenant; where the tenant is known, only its own can be chosen."""
        if not relations.is_tenants(db_field.related_model):
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        return relations.choose(db_field, request, relations.tenant_of(request, self.tenant_field), **kwargs)


class GivenByDeployment(TenantAdmin):
    """For limits and switches that a tenant is given: its own staff see them and do not change them."""

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
    """For rows that the service writes: staff look, and may not add, change or delete."""

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
    """For what belongs to the deployment and to no tenant: confined staff do not even know that it is there."""

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
