"""Plans, tenants and their feature flags."""

from typing import Any

from django.contrib import admin
from django.db.models import IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from accounts import revocations
from accounts.admin.base import DeploymentAdmin, ReadOnlyTenantAdmin, TenantAdmin, is_confined
from accounts.admin.lines import LinesField
from accounts.models import FeatureFlag, Plan, QuotaWarning, Tenant, TenantUsage
from core import clock
from core.admission import months


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
    list_display = ["slug", "name", "plan", "active", "used", "left", "create_unknown", "locale", "created_at"]
    list_filter = ["active", "plan"]
    list_select_related = ["plan"]
    search_fields = ["slug", "name"]
    readonly_fields = ["used", "left", "created_at"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Origins are written one in a line."""
        if db_field.name == "allowed_origins":
            return LinesField(help_text=db_field.help_text, required=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        """With the present month's requests: one query."""
        month = months.of(clock.now()).name
        own = TenantUsage.objects.filter(tenant=OuterRef("pk"), month=month).values("used")
        used = Coalesce(Subquery(own), 0, output_field=IntegerField())
        tenants: QuerySet[Tenant] = super().get_queryset(request)
        return tenants.annotate(used_this_month=used)

    @admin.display(description="Used this month", ordering="used_this_month")
    def used(self, tenant: Tenant) -> int:
        """Requests of the present month, up to a minute old."""
        used: int = getattr(tenant, "used_this_month", 0)
        return used

    @admin.display(description="Left")
    def left(self, tenant: Tenant) -> int | str:
        """What the plan allows beyond them."""
        return _left(tenant.plan.requests_per_month, self.used(tenant)) if tenant.plan_id else "-"

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """The slug stands in tokens: it stays. Confined staff change neither their plan nor whether they are served."""
        own = ["used", "left", "created_at", *(["slug"] if obj else [])]
        return [*own, "plan", "active"] if is_confined(request) else own

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        """Whether the tenant is served is told at once."""
        super().save_model(request, obj, form, change)
        if "active" in form.changed_data:
            revocations.tenant_changed(obj)

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
        return _left(usage.tenant.plan.requests_per_month, usage.used)


@admin.register(QuotaWarning)
class QuotaWarningAdmin(ReadOnlyTenantAdmin):
    """The warnings that tenants were given."""

    list_display = ["tenant", "month", "percent", "used", "quota", "at"]
    list_display_links = ["month"]
    list_filter = ["percent", "month"]
    search_fields = ["tenant__slug"]


def _left(quota: int | None, used: int) -> int | str:
    return "unlimited" if quota is None else max(0, quota - used)
