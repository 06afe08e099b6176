"""Plans, tenants and their feature flags."""

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.base import DeploymentAdmin, ReadOnlyTenantAdmin, TenantAdmin, is_confined
from accounts.models import FeatureFlag, Plan, Tenant, TenantUsage


@admin.register(Plan)
class PlanAdmin(DeploymentAdmin):
    """What tenants may use: limits are given, not taken."""

    list_display = [
        "name",
        "read_per_minute",
        "write_per_minute",
        "requests_per_month",
        "on_quota",
        "ai_calls_per_build",
    ]
    search_fields = ["name"]
    fieldsets = [
        (None, {"fields": ["name"]}),
        (
            "Requests a minute",
            {
                "fields": [("read_per_minute", "read_burst"), ("write_per_minute", "write_burst")],
                "description": "A refused request is answered 429 and says when to come back. Effective in 5 seconds.",
            },
        ),
        ("Requests a month", {"fields": ["requests_per_month", "on_quota"]}),
        ("AI", {"fields": ["ai_calls_per_build"]}),
    ]


@admin.register(Tenant)
class TenantPageAdmin(TenantAdmin):
    """Customers."""

    tenant_field = ""
    list_display = ["slug", "name", "plan", "active", "create_unknown", "locale", "created_at"]
    list_filter = ["active", "plan"]
    list_select_related = ["plan"]
    search_fields = ["slug", "name"]
    readonly_fields = ["created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """The slug stands in tokens: it stays. Confined staff change neither their plan nor whether they are served."""
        own = ["created_at", "slug"] if obj else ["created_at"]
        return [*own, "plan", "active"] if is_confined(request) else own

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Not for confined staff: what they made would be another tenant."""
        return super().has_add_permission(request) and not is_confined(request)

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        """A tenant is deactivated, not deleted: everything it owns would go with it."""
        return False


@admin.register(FeatureFlag)
class FeatureFlagAdmin(TenantAdmin):
    """For what share of a tenant's people a feature is on; effective within 5 seconds."""

    list_display = ["tenant", "name", "percent"]
    list_editable = ["percent"]
    list_display_links = ["name"]
    list_filter = ["name"]
    search_fields = ["tenant__slug"]


@admin.register(TenantUsage)
class TenantUsageAdmin(ReadOnlyTenantAdmin):
    """The months' requests: used, and left of the tenant's present plan."""

    list_display = ["tenant", "month", "used", "left"]
    list_display_links = ["month"]
    list_filter = ["month"]
    search_fields = ["tenant__slug"]

    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        """The plan says what is left: one query."""
        return ["tenant__plan"]

    @admin.display(description="left")
    def left(self, usage: TenantUsage) -> int | str:
        """What the plan allows beyond what was used."""
        limit = usage.tenant.plan.requests_per_month
        return "unlimited" if limit is None else max(0, limit - usage.used)
