"""The base of every admin page over tenant data."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property


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


class TenantAdmin(admin.ModelAdmin):
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


class DeploymentAdmin(admin.ModelAdmin):
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
